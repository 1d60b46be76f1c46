"""Common parts of French passwords, most common first: keyboard rows, words, names, places."""

COMMON_WORDS: tuple[str, ...] = tuple(
    """
    motdepasse azerty azertyuiop azertyuiopqsdfghjklm qsdfghjklm wxcvbn aqwzsxedc azeqsdwxc
    motdepass mdp password bonjour bonsoir salut coucou soleil doudou loulou chouchou chocolat
    jetaime jtm amour bisous bisou moncoeur coeur princesse prince poupette poupee nounours
    bebe maman papa mamie papy famille enfant enfants copain copine ami amis amitie bonheur
    vacances plage mer montagne maison voiture moto velo foot football rugby tennis basket
    musique guitare piano danse cheval chevaux chien chat chaton lapin tigre lion dauphin loup
    papillon licorne dragon etoile lune ange diable paradis fleur rose tulipe jardin orange
    fraise cerise banane pomme caramel vanille nutella crepe fromage raclette champagne vin biere
    rouge bleu vert jaune noir blanc violet arcenciel france francais paris marseille lyon
    toulouse nice nantes strasbourg montpellier bordeaux lille rennes brest bretagne breton
    normandie alsace corse reunion martinique guadeloupe guyane mayotte tahiti belgique suisse
    quebec canada europe monde liberte egalite fraternite republique zidane mbappe psg olympique
    college lycee ecole classe eleve eleves prof professeur maitresse cantine recre recreation
    devoirs vacance rentree sixieme cinquieme quatrieme troisieme terminale bac brevet academie
    universite etudiant preau pronote toutatice ent janvier fevrier mars avril mai juin juillet
    aout septembre octobre novembre decembre lundi mardi mercredi jeudi vendredi samedi dimanche
    printemps ete automne hiver noel anniversaire zero un deux trois quatre cinq six sept huit neuf
    dix secret admin administrateur utilisateur connexion bienvenue ouvretoi sesame nicolas julien
    thomas alexandre maxime antoine kevin quentin romain lucas hugo louis jules gabriel raphael
    camille marie sarah lea manon emma chloe ines louise jade lina alice julie marine pauline
    laura charlotte anais mathilde oceane melanie celine sandrine nathalie isabelle sophie
    mohamed mehdi yanis rayan sofiane ahmed karim nassim fatima aicha
    """.split()
)
