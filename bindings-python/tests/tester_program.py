# mypy: ignore-errors
"""Plays a program of the binding tester: a call is spelt in Python, an answer in JSON.

Nothing is decided here.
"""

from __future__ import annotations

from typing import Any

import ringshift
from ringshift._ringshift import Transaction
from tester_words import (
    batch_reply,
    content,
    data,
    fields_of,
    key,
    number,
    only,
    policy,
    reply,
    said_attempt,
    said_data,
    said_end,
    said_guard,
    said_reply,
    said_step,
    said_transaction,
    unhex,
)

try:
    from ringshift import migrate
except ImportError:
    migrate = None


class Missing(Exception):
    """What a call uses wasn't made: the program was cut down."""


class NotOffered(Exception):
    """The package has no such thing."""


def offered(of, name):
    try:
        return getattr(of, name)
    except AttributeError:
        raise NotOffered(name) from None


NOT_OFFERED = object()


class Program:
    def __init__(self, pool):
        self.pool = pool
        self.objects: dict[str, Any] = {}
        self.raw: dict[int, Any] = {}

    def get(self, name, kind=None):
        found = self.objects.get(name)
        if found is NOT_OFFERED:
            raise NotOffered(name)
        if found is None or (kind and not isinstance(found, offered(ringshift, kind))):
            raise Missing
        return found

    def used(self, number):
        if number not in self.raw:
            raise Missing
        return self.raw[number]

    def keep(self, call, made, answer=None):
        self.objects[call["as"]] = made
        return answer

    def call(self, call):
        try:
            return getattr(self, "do_" + call["do"])(call)
        except Missing:
            return "missing"
        except NotOffered:
            # What it would have made isn't there; what it would have changed isn't as it should be.
            if "as" in call:
                self.objects[call["as"]] = NOT_OFFERED
            if call["do"] == "command":
                self.objects[call["on"]] = NOT_OFFERED
            raise
        except ringshift.RingshiftError as error:
            return {"error": error.code} if str(error) else {"bare": repr(error)}
        except Exception as error:
            return {"crash": repr(error)}

    # Snapshots and routers

    def told(self, call, snapshot):
        shard = ("id", "name", "weight", "endpoint", "zone", "tags", "state", "unfenced")
        said = fields_of(snapshot, "epoch", "cluster", "digest", "keyspaces")
        said["shards"] = [fields_of(one, *shard) for one in snapshot.shards]
        return self.keep(call, snapshot, said)

    def bytes_of(self, call):
        given = call["bytes"]
        return unhex(given) if isinstance(given, str) else self.pool[given]

    def given(self, call):
        return self.bytes_of(call) if "bytes" in call else self.get(call["snapshot"], "Snapshot")

    def do_snapshot(self, call):
        return self.told(call, ringshift.Snapshot.decode(self.bytes_of(call)))

    def do_topology(self, call):
        return self.told(call, ringshift.Snapshot.from_topology(call["topology"]))

    def do_owners(self, call):
        return list(self.get(call["on"], "Snapshot").owners(call["keyspace"]))

    def do_equals(self, call):
        return self.get(call["on"], "Snapshot") == self.get(call["other"], "Snapshot")

    def do_encode(self, call):
        return self.get(call["on"], "Snapshot").encode().hex()

    def do_router(self, call):
        router = ringshift.Router(self.given(call))
        return self.keep(call, router, {"epoch": router.epoch})

    def do_install(self, call):
        router = self.get(call["on"], "Router")
        return {"installed": router.install(self.given(call)), "epoch": router.snapshot.epoch}

    def do_keyspace(self, call):
        keyspace = self.get(call["on"], "Router").keyspace(call["name"])
        return self.keep(call, keyspace, {"name": keyspace.name, "id": keyspace.id})

    def on(self, call):
        return self.get(call["on"], "Keyspace")

    def do_route(self, call):
        return self.on(call).route(key(call["key"]))

    def do_shard_of(self, call):
        return self.on(call).shard_of(key(call["key"]))

    def do_describe(self, call):
        said = self.on(call).describe(key(call["key"]))
        return fields_of(said, "shard", "slot", "domain", "epoch", "phase")

    def do_explain(self, call):
        said = self.on(call).explain(key(call["key"]))
        names = (
            "keyspace epoch hash slots slot pinned domain domain_epoch phase ramp authority mirror "
            "reads strict"
        )
        return fields_of(said, *names.split()) | {"routing_part": said.routing_part.hex()}

    def do_route_many(self, call):
        keyspace, keys = self.on(call), [key(typed) for typed in call["keys"]]
        routed = [int(shard) for shard in keyspace.route_many(keys)]
        if routed and all(only(typed)[0] in ("text", "hex") for typed in call["keys"]):
            packed = [one.encode() if isinstance(one, str) else one for one in keys]
            ends = [sum(map(len, packed[: at + 1])) for at in range(len(packed))]
            again = [int(shard) for shard in keyspace.route_many(b"".join(packed), ends)]
            if again != routed:
                return {"packed": again, "routed": routed}
        return routed

    def do_group(self, call):
        groups = self.on(call).group_by_shard([key(typed) for typed in call["keys"]])
        return [[name, [int(place) for place in places]] for name, places in groups.items()]

    def do_replicas(self, call):
        return list(self.on(call).replicas(key(call["key"]), call["count"]))

    def do_shards(self, call):
        return [
            fields_of(one, "name", "slots", "mirrored", "phase") for one in self.on(call).shards()
        ]

    # Operations

    def begin(self, call, begin):
        keyspace = self.on(call)
        made = begin(keyspace, key(call["key"]), policy(call.get("policy")), call["now"])
        return self.keep(call, made)

    def do_read(self, call):
        return self.begin(call, ringshift.Operation.read)

    def do_write(self, call):
        return self.begin(call, ringshift.Operation.write)

    def do_poll(self, call):
        step = self.get(call["on"], "Operation").poll()
        if isinstance(step, ringshift.Step.Send):
            self.raw[call["n"]] = step.attempt
        return said_step(step)

    def do_reply(self, call):
        operation = self.get(call["on"], "Operation")
        return operation.handle_reply(call["now"], call["id"], reply(call["reply"]))

    def do_learn(self, call):
        operation = self.get(call["on"], "Operation")
        keyspace = self.get(call["keyspace"], "Keyspace")
        return operation.handle_snapshot(call["now"], keyspace, key(call["key"]))

    def do_timeout(self, call):
        return self.get(call["on"], "Operation").handle_timeout(call["now"])

    def do_shadow(self, call):
        operation = self.get(call["on"], "Operation")
        shadow = operation.shadow(policy(call.get("policy")), call["now"])
        return False if shadow is None else self.keep(call, shadow, True)

    def do_shadow_poll(self, call):
        step = self.get(call["on"], "Shadow").poll()
        if isinstance(step, ringshift.ShadowStep.Send):
            self.raw[call["n"]] = step.attempt
            return said_attempt(step.attempt)
        if isinstance(step, ringshift.ShadowStep.Wait):
            return {"wait": {"until": step.until}}
        return {"done": step.compared}

    def do_shadow_reply(self, call):
        shadow = self.get(call["on"], "Shadow")
        digest = number(call["digest"])
        return shadow.handle_reply(call["now"], call["id"], reply(call["reply"]), digest)

    def do_shadow_timeout(self, call):
        return self.get(call["on"], "Shadow").handle_timeout(call["now"])

    def do_digest(self, call):
        value = None if call["value"] is None else unhex(call["value"])
        digest = offered(ringshift, "row_digest")(unhex(call["key"]), int(call["version"]), value)
        return str(digest)

    def do_gate(self, call):
        gate = offered(ringshift, "RefreshGate")
        return self.keep(call, gate(call["have"], call["gap_ms"], int(call["seed"])))

    def do_want(self, call):
        step = self.get(call["on"], "RefreshGate").want(call["now"], call["newer_than"])
        GateStep = ringshift.GateStep
        match step:
            case GateStep.InHand():
                return "in_hand"
            case GateStep.Fetch():
                return "fetch"
            case GateStep.Join():
                return "join"
        return {"wait": {"until": step.until}}

    def do_fetched(self, call):
        return self.get(call["on"], "RefreshGate").fetched(call["now"], call["epoch"])

    def do_failed(self, call):
        return self.get(call["on"], "RefreshGate").failed(call["now"])

    def do_begun(self, call):
        return self.get(call["on"], "RefreshGate").begun

    # The shard's side

    def do_guard(self, call):
        return self.keep(call, offered(ringshift, "Guard")())

    def do_admit(self, call):
        access, term = only(call["access"])
        guard = self.get(call["on"], "Guard")
        place = call["keyspace"], call["slot"], unhex(call["key"]), call["domain"], call["epoch"]
        return said_guard(guard.admit(*place, access, *([] if term is None else [term])))

    def do_guard_install(self, call):
        return said_guard(self.get(call["on"], "Guard").install(call["term"], call["rows"]))

    def do_guard_close(self, call):
        guard = self.get(call["on"], "Guard")
        row = guard.close(call["term"], call["domain"], call["epoch"])
        return None if row is None else said_guard(row)

    def do_guard_claim(self, call):
        return said_guard(self.get(call["on"], "Guard").claim(call["term"]))

    def do_guard_rows(self, call):
        return said_data(self.get(call["on"], "Guard").rows())

    def do_decide(self, call):
        attempt = self.used(call["of"])
        look = [
            None if text is None else unhex(text) if at == 13 else int(text)
            for at, text in enumerate(call["look"])
        ]
        decided = offered(ringshift._ringshift, "decide")(attempt, content(call["content"]), look)
        effect = decided.effect
        said = {"reply": said_reply(decided.reply), "revision": str(decided.revision)}
        said |= {"found": decided.found, "learned": decided.learned, "effect": effect.type}
        if effect.type == "put":
            said["effect"] = {"put": {"version": str(effect.version), "deleted": effect.deleted}}
        elif effect.type == "remove":
            said["effect"] = {"remove": {"floor": str(effect.floor)}}
        return said

    def do_shard(self, call):
        return self.keep(call, offered(ringshift, "MemoryShard")())

    def do_chunks(self, call):
        return self.keep(call, ((migrate and offered(migrate, "Chunks")) or ringshift.Chunks)())

    def do_attempt(self, call):
        attempt, shard = self.used(call["of"]), self.get(call["on"], "MemoryShard")
        answer = shard.attempt(attempt, unhex(call["key"]), content(call["content"]))
        replied, found = answer if isinstance(answer, tuple) else (answer.reply, answer.found)
        if found is not None:
            value, op = found if isinstance(found, tuple) else (found.value, found.op)
            found = {"value": None if value is None else value.hex(), "op": op.hex()}
        return {"reply": said_reply(replied), "found": found}

    def do_command(self, call):
        command = self.used(call["of"]) if "of" in call else data(call["command"])
        shard = self.get(call["on"], "MemoryShard")
        answer = shard.command(command, self.get(call["chunks"]))
        self.raw[call["n"]] = answer
        return said_data(answer)

    # Migrations

    def do_home_installs(self, call):
        installs = offered(migrate, "home_installs")
        return said_data(installs(self.get(call["on"], "Snapshot"), call["shard"]))

    def do_plan(self, call):
        snapshot = self.get(call["on"], "Snapshot")
        plan = offered(migrate, "plan")(snapshot, call["changes"], call["wave_slots"])
        names = "keyspace", "slots", "slots_moved", "slots_least", "slots_modulo", "waves"
        figures = [fields_of(one, *names) for one in plan.figures]
        return self.keep(call, plan, {"figures": figures, "waves": said_data(plan.waves)})

    def do_coordinator(self, call):
        plan = None if call["plan"] is None else self.get(call["plan"])
        made = offered(migrate, "Coordinator")(call["term"], call["settings"], plan, call["now"])
        return self.keep(call, made)

    def do_act(self, call):
        action = self.get(call["on"]).poll()
        if "do" in action:
            self.raw[call["n"]] = action["do"]["command"]
        return said_data(action)

    def do_answer(self, call):
        answer = self.used(call["of"]) if "of" in call else data(call["answer"])
        coordinator = self.get(call["on"])
        coordinator.handle_answer(call["now"], call["id"], answer)
        snapshot = coordinator.snapshot
        return {"epoch": None if snapshot is None else snapshot.epoch}

    def do_coordinator_timeout(self, call):
        return self.get(call["on"]).handle_timeout(call["now"])

    def do_roll_back(self, call):
        return self.get(call["on"]).roll_back(call["reason"])

    def do_pause(self, call):
        return self.get(call["on"]).pause(call["reason"])

    def do_resume(self, call):
        return self.get(call["on"]).resume()

    def do_health(self, call):
        return self.get(call["on"]).handle_health(call["now"], call["health"])

    def do_wall_clock(self, call):
        shown = call["now"], call["unix_ms"], call["utc_offset_min"]
        return self.get(call["on"]).handle_wall_clock(*shown)

    def do_agree_to_finish(self, call):
        return self.get(call["on"]).agree_to_finish()

    def do_status(self, call):
        return fields_of(self.get(call["on"]), "status", "decisions")

    # What a coordinator judges by, plans as data, deltas

    def do_judge(self, call):
        given = call["gates"], call["health"], call["own"], call["shards"]
        return said_data(offered(migrate, "judge")(*given))

    def do_allowed(self, call):
        given = call["calendar"], call["unix_ms"], call["utc_offset_min"]
        return said_data(offered(migrate, "allowed")(*given))

    def do_checklist(self, call):
        return said_data(offered(migrate, "checklist")(call["ticks"], call["settings"]))

    def do_advise(self, call):
        return said_data(offered(migrate, "advise_strategy")(call["circumstances"]))

    def do_advance(self, call):
        return self.told(call, self.get(call["on"], "Snapshot").advance(unhex(call["delta"])))

    def do_plan_data(self, call):
        snapshot = self.get(call["on"], "Snapshot")
        plan = offered(migrate, "plan")(snapshot, call["changes"], None, call["options"])
        return {"plan": said_data(plan.data), "text": str(plan)}

    def do_plan_check(self, call):
        snapshot = self.get(call["on"], "Snapshot")
        return offered(migrate, "Plan").from_data(call["plan"]).check(snapshot)

    def do_pace(self, call):
        return self.keep(call, offered(migrate, "Pace")(call["throttle"]))

    def paced(self, call, pace):
        return {"rate": pace.rate(), "under": pace.rate(call["cap"]), "ready_at": pace.ready_at}

    def do_pace_p99(self, call):
        pace = self.get(call["on"])
        pace.handle_p99(call["now"], call["p99"], call["limit"], call["baseline"])
        return self.paced(call, pace)

    def do_pace_spend(self, call):
        pace = self.get(call["on"])
        pace.spend(call["now"], call["rate"], call["rows"])
        return self.paced(call, pace)

    # Transactions

    def orders(self, call):
        return ringshift.Router(self.bytes_of(call)).keyspace("orders")

    def do_transaction(self, call):
        keys = [unhex(one) for one in call["keys"]]
        given = policy(call["policy"]), call["again"], call["now"]
        machine, ended = Transaction.begin(self.orders(call), keys, *given)
        return self.keep(call, (machine, ended, keys))

    def do_transaction_poll(self, call):
        machine, ended, _ = self.get(call["on"])
        if machine is None:
            return said_end(ended)
        said = said_transaction(machine.poll())
        return "work" if "work" in said else said

    def do_transaction_reply(self, call):
        machine, _, _ = self.get(call["on"])
        if machine is not None:
            machine.handle_reply(call["now"], call["id"], batch_reply(call["reply"]))

    def do_transaction_commit(self, call):
        machine, _, _ = self.get(call["on"])
        if machine is not None:
            machine.commit(call["now"], [tuple(used) for used in call["uses"]])

    def do_transaction_roll_back(self, call):
        machine, _, _ = self.get(call["on"])
        if machine is not None:
            machine.roll_back()

    def do_transaction_learn(self, call):
        machine, _, keys = self.get(call["on"])
        if machine is not None:
            machine.handle_snapshot(call["now"], self.orders(call), keys)

    def do_transaction_timeout(self, call):
        machine, _, _ = self.get(call["on"])
        if machine is not None:
            machine.handle_timeout(call["now"])
