# SPDX-License-Identifier: Apache-2.0
# People who do what they are told: each line that comes over a socket of the file system is something that somebody does or waits
# for, and is answered with a line. Many may be under way at once.
import asyncio
import collections
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "slixmpp"))
from client import PATIENCE, Client, LoginFailed, run  # noqa: E402

PLUGINS = ["xep_0030", "xep_0004", "xep_0045", "xep_0198", "xep_0199", "xep_0203"]


class Person(Client):
    """Remembers of messages only what is asked for: what was heard how often, and what came back why."""

    def begin(self, plugins):
        super().begin(plugins)
        self.heard = collections.defaultdict(list)
        self.returned = {}
        self.waiting = collections.defaultdict(asyncio.Event)
        self.gone = set()

    def _remember(self, stanza):
        if stanza.name == "message" and stanza["type"] == "error":
            error = stanza["error"]
            self.returned[stanza["id"]] = {name: error[name] for name in ("condition", "type", "text")}
            self.waiting[f"error {stanza['id']}"].set()
        elif stanza.name == "message" and stanza["body"]:
            body = stanza["body"].rstrip()
            self.heard[body].append(stanza["from"].bare)
            self.waiting[body].set()
        elif stanza.name == "presence" and stanza["type"] == "unavailable":
            self.gone.add(stanza["from"].full)
        return stanza

    async def wait(self, key, within):
        await asyncio.wait_for(self.waiting[key].wait(), within)


class People:
    def __init__(self, places):
        self.places = places
        self.clients = {}

    async def log_in(self, user, remembering=False):
        client = Person(self.places[user["domain"]], user, PLUGINS, "SCRAM-SHA-1", binds=False)
        client["xep_0198"].allow_resume = False
        try:
            await client.log_in()
        except LoginFailed as failure:
            return {"refused": failure.args[1]}
        before = self.clients.get(client.boundjid.bare)
        if before and remembering:  # what was heard before its connection broke
            for body, senders in before.heard.items():
                client.heard[body] = senders + client.heard[body]
                client.waiting[body].set()
        self.clients[client.boundjid.bare] = client
        return {"jid": client.boundjid.full}

    async def says(self, who, to, body, size=0):
        """Says something, as long as is wanted, and waits until the own server has it. The id of a message is its text."""
        client = self.clients[who]
        kind = "groupchat" if "@rooms." in to else "chat"
        message = client.make_message(mto=to, mbody=body.ljust(size), mtype=kind)
        message["id"] = body
        message.send()
        await client.all_done()
        return {}

    async def acknowledged(self, who):
        """Waits until the own server has acknowledged all that was said (XEP-0198), after which it must arrive."""
        client = self.clients[who]
        management = client["xep_0198"]
        news = asyncio.Event()
        client.add_event_handler("stanza_acked", lambda _: news.set())
        management.request_ack()
        while management.unacked_queue:
            news.clear()
            await asyncio.wait_for(news.wait(), PATIENCE)
        return {}

    async def hears(self, who, body, within):
        """Waits until somebody hears something."""
        client = self.clients[who]
        await client.wait(body, within)
        return {"sender": client.heard[body][0], "times": len(client.heard[body])}

    async def gets_back(self, who, body, within):
        """Waits until something that was said comes back."""
        client = self.clients[who]
        await client.wait(f"error {body}", within)
        return client.returned[body]

    async def has_heard(self, who, body):
        return {"heard": body in self.clients[who].heard}

    async def heard(self, who):
        """Everything that was heard, in order, as often as it was."""
        return {"bodies": [body for body, senders in self.clients[who].heard.items() for _ in senders]}

    async def makes_room(self, who, room):
        """Makes a room that everybody may enter."""
        rooms = self.clients[who]["xep_0045"]
        await rooms.join_muc_wait(room, "Romeo", timeout=PATIENCE)
        form = await rooms.get_room_config(room)
        form.set_values({"muc#roomconfig_membersonly": False})
        await rooms.set_room_config(room, form)
        return {}

    async def enters(self, who, room, nick):
        await self.clients[who]["xep_0045"].join_muc_wait(room, nick, maxchars=0, timeout=PATIENCE)
        return {}

    async def has_seen_go(self, who, occupant):
        return {"seen": occupant in self.clients[who].gone}


async def serve(places, socket):
    people = People(places)
    done = asyncio.get_running_loop().create_future()

    async def do(words, writer):
        number, verb = words.pop("number"), words.pop("verb")
        try:
            answer = await getattr(people, verb)(**words)
        except Exception as problem:
            answer = {"problem": f"{type(problem).__name__}: {problem}"}
        writer.write(json.dumps({"number": number, **answer}).encode() + b"\n")

    async def listen(reader, writer):
        tasks = set()
        async for line in reader:
            task = asyncio.create_task(do(json.loads(line), writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        done.set_result(None)

    await asyncio.start_unix_server(listen, socket)
    print("ready", flush=True)
    await done
    for client in people.clients.values():
        await client.log_out()


run({"serve": serve}, within=280)
