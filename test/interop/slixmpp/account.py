# SPDX-License-Identifier: Apache-2.0
# One's own account: its password, its vCard, its private data, and its end; registering a new one; and the administrator's.
import asyncio

from client import Client, LoginFailed, refusal, run, say


async def try_login(server, user):
    client = Client(server, user)
    try:
        await client.log_in()
    except LoginFailed as failure:
        return say(saw="no login", refusals=sorted(set(failure.args[1])))
    say(saw="login")
    await client.log_out()


async def change_password(server, user, password):
    client = await Client(server, user, ["xep_0077"]).log_in()
    await client["xep_0077"].change_password(password)
    say(saw="changed")
    await client.log_out()
    await try_login(server, user)
    await try_login(server, {**user, "password": password})


async def cancel(server, user):
    client = await Client(server, user, ["xep_0077"]).log_in()
    iq = client.make_iq_set()
    iq["register"]["remove"] = True
    say(saw="cancelled", refusal=await refusal(iq.send()))
    if client.is_connected():
        await asyncio.wait_for(client.disconnected, 15)
    say(saw="disconnected")
    await try_login(server, user)


async def register(server, user):
    """Asks for an account inside TLS, before logging in, whether that is offered or not."""
    client = Client(server, user, ["xep_0077"])
    offer = asyncio.get_running_loop().create_future()

    def look(stanza):
        if stanza.name == "features" and "starttls" in client.features:
            offer.set_result("register" in stanza["features"])
            return None  # or it would log in
        return stanza

    client.add_filter("in", look)
    client.connect_to("starttls")
    say(saw="offer", register=await asyncio.wait_for(offer, 15))
    client._always_send_everything = True  # else it waits for its login
    iq = client.make_iq_set(ito="localhost")
    iq["register"]["username"] = user["name"]
    iq["register"]["password"] = user["password"]
    say(saw="answer", refusal=await refusal(iq.send(timeout=10)))
    await client.log_out()


async def vcard(server, romeo, juliet):
    r = await Client(server, romeo, ["xep_0054"]).log_in()
    card = r["xep_0054"].make_vcard()
    card["FN"] = "Romeo Montecchi 🌹"
    card["NICKNAME"] = "Romè"
    await r["xep_0054"].publish_vcard(card)
    j = await Client(server, juliet, ["xep_0054"]).log_in()
    for name, client in (("romeo", r), ("juliet", j)):
        found = await client["xep_0054"].get_vcard(r.boundjid.bare, cached=False, local=False)
        say(saw="vcard", by=name, full=found["vcard_temp"]["FN"], nick=",".join(found["vcard_temp"]["NICKNAME"]))
    await asyncio.gather(r.log_out(), j.log_out())


async def private(server, user):
    client = await Client(server, user, ["xep_0048"]).log_in()
    before = await client["xep_0048"].get_bookmarks(method="xep_0049")
    say(saw="bookmarks", rooms=[str(room["jid"]) for room in before["private"]["bookmarks"]["conferences"]])
    bookmarks = client["xep_0048"].stanza.Bookmarks()
    bookmarks.add_conference("verona@rooms.localhost", "Giulietta", name="Città di Verona", autojoin=True)
    await client["xep_0048"].set_bookmarks(bookmarks, method="xep_0049")
    await client.log_out()
    again = await Client(server, user, ["xep_0048"]).log_in()
    after = await again["xep_0048"].get_bookmarks(method="xep_0049")
    for room in after["private"]["bookmarks"]["conferences"]:
        say(saw="bookmark", jid=str(room["jid"]), nick=room["nick"], name=room["name"], autojoin=room["autojoin"])
    await again.log_out()


ADMIN = "http://jabber.org/protocol/admin#"


async def add_user(server, admin, user):
    """XEP-0133 §4.1, as an administrator's client does it: list, execute, fill in the form, complete."""
    client = await Client(server, admin, ["xep_0050", "xep_0133"]).log_in()
    commands = await client["xep_0133"].get_commands("localhost")
    nodes = [node for _, node, _ in commands["disco_items"]["items"]]
    say(saw="commands", nodes=sorted(node.removeprefix(ADMIN) for node in nodes))

    start = await client["xep_0050"].send_command("localhost", f"{ADMIN}add-user")
    form = start["command"]["form"]
    say(saw="form", status=start["command"]["status"], fields=sorted(name for name in form.get_fields() if name))
    values = {
        "FORM_TYPE": "http://jabber.org/protocol/admin",
        "accountjid": f"{user['name']}@localhost",
        "password": user["password"],
        "password-verify": user["password"],
    }
    answer = client["xep_0004"].make_form(ftype="submit")
    for name, value in values.items():
        answer.add_field(var=name, value=value)
    end = await client["xep_0050"].send_command(
        "localhost",
        f"{ADMIN}add-user",
        action="complete",
        payload=answer,
        sessionid=start["command"]["sessionid"],
    )
    say(saw="end", status=end["command"]["status"])
    await client.log_out()
    await try_login(server, user)


async def add_user_without_right(server, user):
    client = await Client(server, user, ["xep_0050", "xep_0133"]).log_in()
    commands = await client["xep_0133"].get_commands("localhost")
    nodes = [node for _, node, _ in commands["disco_items"]["items"]]
    say(saw="commands", nodes=[node for node in nodes if node.startswith(ADMIN)])
    say(saw="answer", refusal=await refusal(client["xep_0050"].send_command("localhost", f"{ADMIN}add-user")))
    await client.log_out()


run(
    {
        "change_password": change_password,
        "cancel": cancel,
        "register": register,
        "vcard": vcard,
        "private": private,
        "add_user": add_user,
        "add_user_without_right": add_user_without_right,
    }
)
