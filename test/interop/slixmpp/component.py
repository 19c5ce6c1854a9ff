# SPDX-License-Identifier: Apache-2.0
# Programs that answer for a domain of their own (XEP-0114): a gateway, and the server of an app that is woken (XEP-0357).
import asyncio
from xml.etree import ElementTree as ET

from client import PATIENCE, Client, Inbox, refusal, run, say
from slixmpp import ComponentXMPP
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

PUBSUB = "http://jabber.org/protocol/pubsub"
PUSH = "urn:xmpp:push:0"
FIELD = ".//{jabber:x:data}field"
VALUE = "{jabber:x:data}value"


class Component(Inbox, ComponentXMPP):
    def __init__(self, server, secret=None, plugins=()):
        place = server["component"]
        super().__init__(place["domain"], secret or place["secret"], "127.0.0.1", place["port"])
        self.begin(plugins)

    async def join(self):
        """Connects; the condition of the stream error if it is sent away."""
        outcome = asyncio.get_running_loop().create_future()

        def settle(result):
            if not outcome.done():
                outcome.set_result(result)

        self.add_event_handler("session_start", lambda _: settle(None))
        self.add_event_handler("stream_error", lambda error: settle(error["condition"]))
        self.connect()
        return await asyncio.wait_for(outcome, PATIENCE)


    async def all_done(self):
        """As of a client."""
        iq = self.make_iq_get(ito="localhost", ifrom=self.boundjid.bare)
        ET.SubElement(iq.xml, "{urn:xmpp:ping}ping")
        await iq.send(timeout=PATIENCE)


def form(xml):
    return {field.get("var"): field.findtext(VALUE) for field in xml.findall(FIELD)}


class AppServer(Component):
    """Takes notifications; what is in them is kept."""

    def __init__(self, server):
        super().__init__(server)
        self.pushes = []
        path = f"{{{self.default_ns}}}iq/{{{PUBSUB}}}pubsub"
        self.register_handler(Callback("push", MatchXPath(path), self._pushed))

    def _pushed(self, iq):
        self.pushes.append(iq)
        iq.reply().send()

    async def woken(self):
        return await self.sees("a notification", lambda s: s.xml.find(f"{{{PUBSUB}}}pubsub") is not None)


async def joins(server, romeo):
    wrong = Component(server, secret="not the secret")
    say(saw="joined", refusal=await wrong.join())
    wrong.abort()
    irc = Component(server, plugins=["xep_0030", "xep_0199"])
    say(saw="joined", refusal=await irc.join())
    r = await Client(server, romeo, ["xep_0030"]).log_in()
    items = await r["xep_0030"].get_items(jid="localhost")
    say(saw="items", has=irc.boundjid.bare in [item[0] for item in items["disco_items"]["items"]])
    info = await r["xep_0030"].get_info(jid=irc.boundjid.bare)
    say(saw="info", identities=[list(one[:2]) for one in info["disco_info"]["identities"]])
    await irc["xep_0199"].ping("localhost", ifrom=irc.boundjid.bare)
    say(saw="pong")

    nick = f"mab@{irc.boundjid.bare}"
    r.send_presence_subscription(pto=nick, ptype="subscribe")
    asked = await irc.sees_presence("subscribe", r.boundjid.bare)
    for kind in ("subscribed", "available"):
        irc.send_presence(pto=asked["from"], pfrom=nick, ptype=None if kind == "available" else kind)
        await r.sees_presence(kind, nick)
    say(saw="presence", who="mab")
    text = "Perché no? <b>&amp;</b> 🌹"
    await r.says(nick, text)
    heard = await irc.hears(text)
    say(saw="message", by="gateway", sender=heard["from"] == r.boundjid.full, body=heard["body"])
    irc.send_message(mto=r.boundjid.bare, mfrom=f"{nick}/dream", mbody=text[::-1], mtype="chat")
    heard = await r.hears(text[::-1])
    say(saw="message", by="romeo", sender=heard["from"] == f"{nick}/dream", body=heard["body"])

    irc.send_message(mto=r.boundjid.bare, mfrom="juliet@localhost", mbody="It is I", mtype="chat")
    await irc.sees_end()
    await r.all_done()
    say(saw="liar", ended=True, heard=r.has_seen(lambda s: s.name == "message" and s["body"] == "It is I"))
    await r.log_out()


def wish(client, action, server):
    iq = client.make_iq_set()
    element = ET.SubElement(iq.xml, f"{{{PUSH}}}{action}", jid=server["component"]["domain"], node="a device")
    if action == "enable":
        options = ET.SubElement(element, "{jabber:x:data}x", type="submit")
        for var, value in (("FORM_TYPE", f"{PUBSUB}#publish-options"), ("secret", "eruinfvd")):
            field = ET.SubElement(options, "{jabber:x:data}field", var=var)
            ET.SubElement(field, VALUE).text = value
    return iq


async def push(server, romeo, juliet):
    app = AppServer(server)
    say(saw="joined", refusal=await app.join())
    r = await Client(server, romeo).log_in()
    j = await Client(server, juliet, resource="phone").log_in()
    say(saw="enabled", refusal=await refusal(wish(j, "enable", server).send()))
    await r.says(j.boundjid.bare, "while you look")
    await j.hears("while you look")
    say(saw="awake", pushes=len(app.pushes))
    jj = j.boundjid.bare
    await j.log_out()
    await r.says(jj, "Wherefore art thou?")
    woken = await app.woken()
    text = ET.tostring(woken.xml, encoding="unicode")
    fields = form(woken.xml)
    say(
        saw="push",
        sender=woken["from"].bare == jj,
        node=woken.xml.find(f".//{{{PUBSUB}}}publish").get("node"),
        secret=fields.get("secret"),
        count=fields.get("message-count"),
        tells="Wherefore" in text or romeo["name"] in text,
    )

    j = await Client(server, juliet, resource="phone").log_in()
    await j.hears("Wherefore art thou?")
    say(saw="disabled", refusal=await refusal(wish(j, "disable", server).send()))
    await j.log_out()
    await r.says(jj, "Good night")
    await r.all_done()
    await app.all_done()
    say(saw="later", pushes=len(app.pushes))
    await asyncio.gather(r.log_out(), app.disconnect())


run({"joins": joins, "push": push})
