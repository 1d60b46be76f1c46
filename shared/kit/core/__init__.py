"""The vocabulary that handlers, policies, ports and domains use: protocols, values and errors.

Pure: no module here reaches a database, a broker or the network, not even indirectly.
"""
