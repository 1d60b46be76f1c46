"""Identity: tenants, structures, members, roles, sessions and consent.

Owns tenants, their trees of structures, members, roles, sessions and the rosters that members are
imported from. Answers for sign-in, for the rights of each role, and for which members may write to
each other, with the rules that decided. Never keeps content, and never reads another service's
data: other services learn of members and roles from the events that identity publishes.
"""
