# SPDX-License-Identifier: Apache-2.0
# Somebody with two devices: both see the whole conversation, and the one that nobody looks at is left in peace.
import asyncio

from client import Client, run, say


def copy(kind, body):
    return lambda s: s.name == "message" and s[kind]["body"] == body


async def carbons(server, romeo, juliet):
    desk = await Client(server, romeo, ["xep_0280"], resource="desk").log_in()
    phone = await Client(server, romeo, ["xep_0280"], resource="phone").log_in()
    j = await Client(server, juliet).log_in()
    await phone["xep_0280"].enable()
    await j.says(desk.boundjid.full, "Good morrow")
    await desk.hears("Good morrow")
    got = await phone.sees("a copy of what came", copy("carbon_received", "Good morrow"))
    say(saw="received", by=got["from"] == phone.boundjid.bare, sender=got["carbon_received"]["from"] == j.boundjid.full)
    await desk.says(j.boundjid.bare, "Is the day so young?")
    got = await phone.sees("a copy of what went", copy("carbon_sent", "Is the day so young?"))
    say(saw="sent", by=got["from"] == phone.boundjid.bare, to=got["carbon_sent"]["to"] == j.boundjid.bare)
    await asyncio.gather(desk.log_out(), phone.log_out(), j.log_out())


async def in_a_pocket(server, romeo):
    phone = await Client(server, romeo, ["xep_0352"], resource="phone").log_in()
    desk = await Client(server, romeo, resource="desk").log_in()
    await phone.sees_presence("available", phone.boundjid.bare)
    phone["xep_0352"].send_inactive()
    await phone.all_done()
    for show in ("away", "dnd", "xa"):
        desk.send_presence(pshow=show)
    await desk.all_done()
    await desk.says(phone.boundjid.full, "wake up")
    await phone.hears("wake up")
    shows = [s["type"] for s in phone.stanzas if s.name == "presence" and s["from"] == desk.boundjid.full]
    say(saw="message", shows=[show for show in shows if show != "available"])
    desk.send_presence(pshow="chat")
    await desk.all_done()
    phone["xep_0352"].send_active()
    await phone.sees_presence("chat", phone.boundjid.bare)
    say(saw="presence")
    await asyncio.gather(desk.log_out(), phone.log_out())


run({"carbons": carbons, "in_a_pocket": in_a_pocket})
