# SPDX-License-Identifier: Apache-2.0
# A group of two in a room: made, joined by invitation, talked in, read again from its archive, and destroyed.
import asyncio

from client import Client, run, say
from slixmpp.exceptions import PresenceError

PLUGINS = ("xep_0030", "xep_0004", "xep_0045", "xep_0082", "xep_0203", "xep_0249", "xep_0313", "xep_0421", "xep_0424")


def said(body):
    return lambda s: s.name == "message" and s["type"] == "groupchat" and s["body"] == body


async def group(server, romeo, juliet, room):
    pair = Client(server, romeo, PLUGINS), Client(server, juliet, PLUGINS)
    await asyncio.gather(*(client.log_in() for client in pair))
    r, j = pair
    rooms = r["xep_0045"]

    own, *_ = await rooms.join_muc_wait(room, "Romeo", timeout=15)
    say(saw="made", codes=sorted(own["muc"]["status_codes"]))
    form = await rooms.get_room_config(room)
    values = form.get_values()
    say(saw="form", membersonly=values["muc#roomconfig_membersonly"], whois=values["muc#roomconfig_whois"])
    form.set_values({"muc#roomconfig_roomname": "Verona"})
    await rooms.set_room_config(room, form)

    try:
        await j["xep_0045"].join_muc_wait(room, "Juliet", timeout=15)
    except PresenceError as error:
        say(saw="refused", condition=error.presence["error"]["condition"])
    rooms.invite(room, j.boundjid.bare, "Come!")
    invitation = await j.sees("an invitation", lambda s: s.name == "message" and s["muc"]["invite"]["reason"] == "Come!")
    say(saw="invited", to=str(invitation["from"]) == room)

    r.send_message(mto=room, mbody="before", mtype="groupchat")
    await r.sees("my message", said("before"))
    own, subject, others, past = await j["xep_0045"].join_muc_wait(room, "Juliet", maxstanzas=5, timeout=15)
    say(
        saw="joined",
        others=[p["from"].resource for p in others if p["from"].resource != "Juliet"],
        past=[m["body"] for m in past],
        affiliation=own["muc"]["affiliation"],
        role=own["muc"]["role"],
    )
    j.send_message(mto=room, mbody="in the room", mtype="groupchat")
    heard = await r.sees("what she said", said("in the room"))
    say(saw="heard", nick=heard["from"].resource, occupant=bool(heard["occupant-id"]["id"]))

    rooms.set_subject(room, "Love")
    await j.sees("the subject", lambda s: s.name == "message" and s["subject"] == "Love" and s["type"] == "groupchat")
    owners = await rooms.get_affiliation_list(room, "owner")
    members = await rooms.get_affiliation_list(room, "member")
    say(saw="lists", owners=[str(jid) for jid in owners], members=[str(jid) for jid in members])

    bodies = []
    async for message in j["xep_0313"].iterate(jid=room, rsm={"max": 10}):
        bodies.append(message["mam_result"]["forwarded"]["stanza"]["body"])
    say(saw="archive", bodies=[body for body in bodies if body])

    await rooms.set_role(room, "Juliet", "none", reason="Good night")
    await j.sees("the kick", lambda s: s.name == "presence" and 307 in s["muc"]["status_codes"])
    say(saw="kicked")
    await j["xep_0045"].join_muc_wait(room, "Juliet", maxchars=0, timeout=15)
    await rooms.destroy(room, "The end")
    await j.sees("the end", lambda s: s.name == "presence" and s["type"] == "unavailable" and "The end" in str(s))
    say(saw="destroyed")
    await asyncio.gather(r.log_out(), j.log_out())


run({"group": group})
