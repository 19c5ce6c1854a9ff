# SPDX-License-Identifier: Apache-2.0
# A slixmpp client for scripted scenarios. It remembers every stanza that comes in, so that a scenario can wait for one;
# what a scenario saw is printed as JSON lines, for the test that started it to judge. No wait is without a bound.
import asyncio
import json
import sys
from xml.etree import ElementTree as ET

from slixmpp import ClientXMPP
from slixmpp.exceptions import IqError

PATIENCE = 15
# It computes SCRAM in Python: SHA-512 takes seconds.
FASTEST = "SCRAM-SHA-1-PLUS"


def say(**facts):
    print(json.dumps(facts), flush=True)


class LoginFailed(Exception):
    pass


class Inbox:
    """What a client and a component have in common: they remember what came, and wait for it."""

    def begin(self, plugins):
        self.stanzas = []
        self.looked_at = set()
        self.news = asyncio.Event()
        for plugin in plugins:
            self.register_plugin(plugin)
        self.add_filter("in", self._remember)
        self.ends = asyncio.Event()
        self.add_event_handler("disconnected", lambda _: self.ends.set())

    def _remember(self, stanza):
        self.stanzas.append(stanza)
        self.news.set()
        return stanza

    async def sees(self, what, matches, within=PATIENCE):
        """Waits for an incoming stanza that was not looked at before."""
        deadline = asyncio.get_running_loop().time() + within
        while True:
            for stanza in self.stanzas:
                if id(stanza) not in self.looked_at and matches(stanza):
                    self.looked_at.add(id(stanza))
                    return stanza
            self.news.clear()
            try:
                await asyncio.wait_for(self.news.wait(), deadline - asyncio.get_running_loop().time())
            except asyncio.TimeoutError:
                seen = "\n".join(str(stanza) for stanza in self.stanzas[-12:])
                raise TimeoutError(f"{self.boundjid} did not see {what}, but lately:\n{seen}") from None

    def has_seen(self, matches):
        return any(matches(stanza) for stanza in self.stanzas)

    async def hears(self, body):
        return await self.sees(f"the message {body}", lambda s: s.name == "message" and s["body"] == body)

    async def sees_presence(self, kind, sender):
        """kind is the type of slixmpp: available, away, subscribe, ..."""
        return await self.sees(
            f"presence {kind} from {sender}",
            lambda s: s.name == "presence" and s["type"] == kind and s["from"].bare == sender,
        )

    async def sees_end(self):
        await asyncio.wait_for(self.ends.wait(), PATIENCE)


class Client(Inbox, ClientXMPP):
    def __init__(self, server, user, plugins=(), mechanism=FASTEST, resource="script", binds=True):
        super().__init__(f"{user['name']}@{user.get('domain', 'localhost')}/{resource}", user["password"], sasl_mech=mechanism)
        if not binds:
            self["feature_mechanisms"].sasl_callback = self._without_binding
        self.place = server
        self.ca_certs = server["ca"]
        self.use_aiodns = False
        self.use_ipv6 = False
        self.begin(plugins)

    def _without_binding(self, required, optional):
        """As its newer versions are, which know no binding for TLS 1.3."""
        return self["feature_mechanisms"]._default_credentials(required, optional - {"channel_binding"})

    def connect_to(self, kind):
        self.default_port = self.place[kind]  # the lookup of localhost would bring it back to 5222
        self.connect((self.place.get("host", "localhost"), self.place[kind]), use_ssl=kind == "tls")

    async def log_in(self, direct=False, available=True):
        """Connects and binds; raises LoginFailed with the conditions of the refusals."""
        outcome = asyncio.get_running_loop().create_future()
        refusals = []

        def settle(result):
            if not outcome.done():
                outcome.set_result(result)

        self.add_event_handler("session_start", lambda _: settle("in"))
        self.add_event_handler("failed_auth", lambda failure: refusals.append(failure["condition"]))
        for event in ("failed_all_auth", "ssl_invalid_chain", "connection_failed", "disconnected"):
            self.add_event_handler(event, lambda _, event=event: settle(event))
        self.connect_to("tls" if direct else "starttls")
        result = await asyncio.wait_for(outcome, PATIENCE)
        if result != "in":
            self.cancel_connection_attempt()
            raise LoginFailed(result, refusals)
        if available:
            await self.get_roster()
            self.send_presence()
        return self

    async def log_out(self):
        await self.disconnect()

    async def says(self, to, body):
        self.send_message(mto=to, mbody=body, mtype="chat")

    async def sees_push(self, **wanted):
        """Waits for a roster push whose item has these values."""

        def matches(stanza):
            items = stanza["roster"]["items"] if stanza.name == "iq" and stanza["type"] == "set" else {}
            return any(all(item.get(key) == value for key, value in wanted.items()) for item in items.values())

        return await self.sees(f"a roster push with {wanted}", matches)

    async def all_done(self):
        """The server handles the stanzas of a client in order: after this answer it has handled what came before."""
        iq = self.make_iq_get(queryxmlns="jabber:iq:roster")
        await iq.send(timeout=PATIENCE)

    async def writes(self):
        """Stores something (XEP-0049) and waits for the answer."""
        iq = self.make_iq_set()
        query = ET.SubElement(iq.xml, "{jabber:iq:private}query")
        ET.SubElement(query, "{urn:example:note}note").text = "written"
        await iq.send(timeout=PATIENCE)


async def refusal(future):
    """The condition of the error that an iq is answered with, or None."""
    try:
        await future
    except IqError as error:
        return error.condition
    return None


def run(scenarios, within=60):
    """Runs the scenario that the command line names with the settings that it gives."""
    name, settings = sys.argv[1], json.loads(sys.argv[2])
    asyncio.get_event_loop().run_until_complete(asyncio.wait_for(scenarios[name](**settings), within))
