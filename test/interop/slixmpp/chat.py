# SPDX-License-Identifier: Apache-2.0
# Two people: contacts, presence, messages to and fro, messages to somebody who is away.
import asyncio

from client import Client, refusal, run, say


async def both(server, romeo, juliet, plugins=()):
    pair = Client(server, romeo, plugins), Client(server, juliet, plugins)
    await asyncio.gather(*(client.log_in() for client in pair))
    return pair


async def befriend(server, romeo, juliet):
    r, j = await both(server, romeo, juliet)
    for client in (r, j):
        client.roster.auto_authorize = None  # the scenario answers itself
        client.roster.auto_subscribe = False
    rj, jj = r.boundjid.bare, j.boundjid.bare

    await r.update_roster(jj, name="Juliet", groups=["Verona"])
    push = await r.sees_push(name="Juliet", subscription="none")
    say(saw="added", groups=push["roster"]["items"][jj]["groups"])

    r.send_presence_subscription(pto=jj, ptype="subscribe")
    await j.sees_presence("subscribe", rj)
    say(saw="request")
    j.send_presence_subscription(pto=rj, ptype="subscribed")
    j.send_presence_subscription(pto=rj, ptype="subscribe")
    await r.sees_presence("subscribed", jj)
    await r.sees_presence("available", jj)
    say(saw="presence", of="juliet")
    await r.sees_presence("subscribe", jj)
    r.send_presence_subscription(pto=jj, ptype="subscribed")
    await j.sees_presence("available", rj)
    say(saw="presence", of="romeo")

    r.send_presence(pshow="away", pstatus="on the balcony")
    away = await j.sees_presence("away", rj)
    say(saw="away", status=away["status"])
    for name, client in (("romeo", r), ("juliet", j)):
        answer = await client.make_iq_get(queryxmlns="jabber:iq:roster").send()
        items = answer["roster"]["items"]
        say(saw="roster", of=name, items={str(jid): item["subscription"] for jid, item in items.items()})

    await r.log_out()
    await j.sees_presence("unavailable", rj)
    say(saw="gone", who="romeo")
    await j.del_roster_item(rj)
    await j.sees_push(subscription="remove")
    say(saw="removed")
    await j.log_out()


async def pair(server, romeo, juliet):
    """Become contacts, and stay so."""
    r, j = await both(server, romeo, juliet)
    rj, jj = r.boundjid.bare, j.boundjid.bare
    r.send_presence_subscription(pto=jj, ptype="subscribe")  # slixmpp answers by itself, and asks in return
    await r.sees_presence("available", jj)
    await j.sees_presence("available", rj)
    await asyncio.gather(r.log_out(), j.log_out())


async def contacts(server, user):
    client = await Client(server, user).log_in()
    answer = await client.make_iq_get(queryxmlns="jabber:iq:roster").send()
    items = answer["roster"]["items"]
    say(saw="roster", items={str(jid): item["subscription"] for jid, item in items.items()})
    await client.log_out()


async def talk(server, romeo, juliet, texts):
    r, j = await both(server, romeo, juliet)
    for text in texts:
        await r.says(j.boundjid.bare, text)
        heard = await j.hears(text)
        say(saw="message", by="juliet", body=heard["body"], sender=heard["from"].full == r.boundjid.full)
        await j.says(r.boundjid.full, text[::-1])
        answer = await r.hears(text[::-1])
        say(saw="message", by="romeo", body=answer["body"], sender=answer["from"].full == j.boundjid.full)
    await asyncio.gather(r.log_out(), j.log_out())


async def in_order(server, romeo, juliet, count):
    r, j = await both(server, romeo, juliet)
    for number in range(count):
        await r.says(j.boundjid.bare, f"number {number}")
    await j.hears(f"number {count - 1}")
    bodies = [stanza["body"] for stanza in j.stanzas if stanza.name == "message"]
    say(saw="order", kept=bodies == [f"number {number}" for number in range(count)])
    await asyncio.gather(r.log_out(), j.log_out())


async def while_away(server, romeo, juliet, texts):
    r = await Client(server, romeo).log_in()
    for text in texts:
        await r.says(f"{juliet['name']}@localhost", text)
    await r.all_done()
    say(saw="sent")
    await r.log_out()
    j = await Client(server, juliet, ["xep_0203"]).log_in()
    for text in texts:
        message = await j.hears(text)
        stamp = message["delay"]["stamp"]
        say(saw="message", body=message["body"], stamp=stamp.isoformat(), by=str(message["delay"]["from"]))
    await j.log_out()
    again = await Client(server, juliet, ["xep_0203"]).log_in()
    await again.all_done()
    say(saw="later", messages=sum(stanza.name == "message" for stanza in again.stanzas))
    await again.log_out()


async def to_nobody(server, romeo):
    r = await Client(server, romeo).log_in()
    await r.says("nobody@localhost", "is anybody there?")
    error = await r.sees("an error", lambda s: s.name == "message" and s["type"] == "error")
    say(saw="error", condition=error["error"]["condition"])
    await r.says("juliet@capulet.example", "and there?")
    error = await r.sees("an error", lambda s: s.name == "message" and s["type"] == "error")
    say(saw="error", condition=error["error"]["condition"])
    await r.log_out()


async def block(server, romeo, juliet):
    r, j = await both(server, romeo, juliet, ["xep_0191"])
    rj, jj = r.boundjid.bare, j.boundjid.bare
    await j["xep_0191"].block(rj)
    blocked = await j["xep_0191"].get_blocked()
    say(saw="blocked", items=sorted(str(jid) for jid in blocked["blocklist"]["items"]))
    await r.says(jj, "can you hear me?")
    error = await r.sees("an error", lambda s: s.name == "message" and s["type"] == "error")
    say(saw="error", by="romeo", condition=error["error"]["condition"])
    await j.says(rj, "I do not want to")
    error = await j.sees("an error", lambda s: s.name == "message" and s["type"] == "error")
    say(saw="error", by="juliet", condition=error["error"]["condition"])

    await j["xep_0191"].unblock(rj)
    blocked = await j["xep_0191"].get_blocked()
    say(saw="blocked", items=sorted(str(jid) for jid in blocked["blocklist"]["items"]))
    await r.says(jj, "and now?")
    await j.hears("and now?")
    say(saw="message", leaked=j.has_seen(lambda s: s.name == "message" and s["body"] == "can you hear me?"))
    await asyncio.gather(r.log_out(), j.log_out())


async def send_durably(server, romeo, to, texts):
    """Says what happened once the server has answered a question that writes: what came before it is on disk then."""
    r = await Client(server, romeo).log_in()
    r.add_event_handler("stream_error", lambda error: say(saw="farewell", condition=error["condition"]))
    for text in texts:
        await r.says(to, text)
    say(saw="acknowledged", refusal=await refusal(r.writes()))
    await asyncio.sleep(60)  # the test ends this


async def send_endlessly(server, romeo, to, prefix):
    """Three messages, one question that writes, and again; prints the messages that were acknowledged so."""
    r = await Client(server, romeo).log_in()
    number = 0
    while True:
        bodies = [f"{prefix}-{number + more}" for more in range(3)]
        for body in bodies:
            await r.says(to, body)
        await r.writes()
        say(acknowledged=bodies)
        number += len(bodies)


async def answer(server, user):
    """Answers whatever is said to it."""
    client = Client(server, user)

    def reply(message):
        if message["type"] == "chat" and message["body"]:
            say(saw="message", body=message["body"])
            message.reply(f"I heard {message['body']}").send()

    client.add_event_handler("message", reply)
    await client.log_in()
    say(saw="login")
    await asyncio.sleep(60)  # the test ends this


async def catch_up(server, user, last):
    """Comes back and reads what waited, up to the last and whatever comes with it."""
    client = await Client(server, user).log_in()
    await client.hears(last)
    await client.all_done()
    say(saw="messages", bodies=[stanza["body"] for stanza in client.stanzas if stanza.name == "message"])
    await client.log_out()


run(
    {
        "befriend": befriend,
        "pair": pair,
        "contacts": contacts,
        "talk": talk,
        "in_order": in_order,
        "while_away": while_away,
        "to_nobody": to_nobody,
        "block": block,
        "send_durably": send_durably,
        "send_endlessly": send_endlessly,
        "answer": answer,
        "catch_up": catch_up,
    }
)
