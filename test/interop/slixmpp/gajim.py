# SPDX-License-Identifier: Apache-2.0
# Somebody who talks to a Gajim: says what it is, whether it got the messages, and what was typed there.
import asyncio

from client import Client, run, say

RECEIVED = "{urn:xmpp:receipts}received"
DISPLAYED = "{urn:xmpp:chat-markers:0}displayed"


def tells(tag, id):
    return lambda s: s.name == "message" and s.xml.find(tag) is not None and s.xml.find(tag).get("id") == id


async def converse(server, romeo, juliet):
    j = await Client(server, juliet, ["xep_0092", "xep_0184", "xep_0333"], resource="balcony").log_in()
    say(saw="ready")
    peer = (await j.sees_presence("available", f"{romeo['name']}@localhost"))["from"]
    version = await j["xep_0092"].get_version(peer)
    say(saw="software", name=version["software_version"]["name"], version=version["software_version"]["version"])

    def speak(text):
        message = j.make_message(mto=peer.bare, mbody=text, mtype="chat")
        message["request_receipt"] = True
        message.enable("markable")
        message.send()
        return message["id"]

    for text in ("Good morrow, cousin.", "But new struck nine."):
        said = speak(text)
        await j.sees(f"a receipt of {text}", tells(RECEIVED, said))
    say(saw="received")
    await j.sees("that it was displayed", tells(DISPLAYED, said))
    say(saw="displayed")
    await j.hears("Is the day so young?")
    say(saw="answer")
    last = speak("What sadness lengthens Romeo's hours?")
    await j.sees("a receipt of the last one", tells(RECEIVED, last))
    say(saw="end")
    await asyncio.sleep(30)  # the test ends this


run({"converse": converse})
