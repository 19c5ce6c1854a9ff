# SPDX-License-Identifier: Apache-2.0
# Logging in: by STARTTLS and by direct TLS, with each mechanism, and in vain.
from client import Client, LoginFailed, run, say


async def log_in(server, user, direct=False, mechanism=None, binds=True):
    client = Client(server, user, mechanism=mechanism, binds=binds)
    try:
        await client.log_in(direct)
    except LoginFailed as failure:
        reason, refusals = failure.args
        return say(saw="no login", reason=reason, refusals=refusals)
    say(
        saw="login",
        jid=client.boundjid.bare,
        starttls="starttls" in client.features,
        tls=client.socket.version(),
        mechanism=client["feature_mechanisms"].mech.name,
    )
    await client.log_out()


async def without_trust(server, user, direct=False):
    await log_in({**server, "ca": None}, user, direct)


run({"log_in": log_in, "without_trust": without_trust})
