"""Identity: who belongs, where, as what, and with whose consent.

Owns tenants, their trees of structures, members, roles, sessions and the rosters they come from.
Answers for sign-in, for what a role allows and for who may write to whom, with the rules that
decided. Never keeps what people say, and never reads another service's data: the others learn
of members and roles from the facts it publishes.
"""
