"""Recomputes placement.json, what snapshot.json explains, what plans.json moves and what gates.json
judges from the specification, with nothing of ours but the files.

    pip install xxhash
    python core/tests/vectors/verify.py

The hash is the reference C library's. Everything else is written the plain way, straight from the
words of the specification, so that a mistake would have to be made twice.
"""

import binascii
import hashlib
import json
import zlib
from bisect import bisect_left
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from math import gcd, lcm
from pathlib import Path

import xxhash

KEY_BYTES_MAX = 64 * 1024
checked = 0


def same(ours, theirs, where):
    global checked
    checked += 1
    if ours != theirs:
        raise SystemExit(f"{where}: the specification gives {ours!r}, the file {theirs!r}")


def xxh3(data, seed):
    return xxhash.xxh3_64_intdigest(data, seed)


def unhex(value):
    if isinstance(value, list):
        return b"".join(map(unhex, value))
    if isinstance(value, dict):
        return bytes.fromhex(value["repeat"]) * value["count"]
    return bytes.fromhex(value)


def u32(number):
    return number.to_bytes(4, "little")


# Keys


class Refused(Exception):
    pass


def split(key):
    """The parts of a composite key."""
    parts = []
    while key:
        length = int.from_bytes(key[:4], "little")
        if len(key) < 4 or len(key) < 4 + length:
            raise Refused("key_parts")
        parts.append(key[4 : 4 + length])
        key = key[4 + length :]
    return parts


def join(parts):
    return b"".join(u32(len(part)) + part for part in parts)


def routing_part(rule, key):
    if len(key) > KEY_BYTES_MAX:
        raise Refused("key_too_long")
    if rule == "whole":
        return key
    if rule == "hash_tag":
        _, _, after = key.partition(b"{")
        tag, close, _ = after.partition(b"}")
        return tag if close and tag else key
    parts, group = split(key), rule["parts"]
    if not 1 <= group <= len(parts):
        raise Refused("key_parts")
    return join(parts[:group])


def check_key(case):
    key = unhex(case["key"])
    try:
        routing = routing_part(case["rule"], key)
    except Refused as refused:
        return same(str(refused), case.get("error"), case)
    same(routing, unhex(case["routing"]), case)
    for given in case["hashes"]:
        hashed = xxh3(routing, int(given["seed"]))
        same(str(hashed), given["hash"], case)
        same(hashed >> 44, given["stored"], case)
        for bits, slot in given["slots"].items():
            same(hashed >> (64 - int(bits)), slot, case)


def check_composite(case):
    def encoded(part):
        ((kind, value),) = part.items()
        return bytes.fromhex(value) if kind == "bytes" else value.encode()

    same(join(encoded(part) for part in case["parts"]).hex(), case["key"], case)


def typed_part(kind, value):
    if kind == "text":
        text = value["repeat"] * value["count"] if isinstance(value, dict) else value
        return text.encode()
    if kind == "hex":
        return unhex(value)
    if kind == "int":
        return str(int(value)).encode()
    if kind == "utf16":
        try:
            return bytes.fromhex(value).decode("utf-16-be").encode()
        except UnicodeDecodeError:
            raise Refused("key_encoding") from None
    raise Refused("key_type")


def typed_key(typed):
    ((kind, value),) = typed.items()
    if kind != "parts":
        return typed_part(kind, value)
    parts = [typed_part(*field) for part in value for field in part.items()]
    if not parts:
        raise Refused("key_parts")
    return join(parts)


def check_typed_key(case):
    try:
        key = routing_part("whole", typed_key(case["key"]))
    except Refused as refused:
        return same(str(refused), case.get("error"), case)
    same(key, unhex(case["bytes"]), case)


def check_weight(case):
    typed = Decimal(case["typed"])
    thousandths = None
    if typed.is_finite() and 0 <= typed <= 1_000_000:
        thousandths = int((typed * 1000).quantize(Decimal(1), ROUND_HALF_UP))
    same(thousandths, case["thousandths"], case)


def check_ramp(case):
    hashed = xxh3(unhex(case["key"]), int(case["seed"]) ^ case["wave"])
    same(hashed % 1_000_000, case["position"], case)
    for ppm, inside in case["inside"].items():
        same(hashed % 1_000_000 < int(ppm), inside, case)


# Tables


def unpack(text):
    table = []
    for run in text.split():
        index, count = run.split("*")
        table += [int(index)] * int(count)
    return table


def digest(table):
    return str(xxh3(b"".join(i.to_bytes(2, "little") for i in table), 0))


def ring(shards, vnodes, seed, bits):
    points = []
    for index, (id, name, m) in enumerate(shards):
        count = max(1, (m * vnodes + 500) // 1000) if m else 0
        for i in range(count):
            points.append((xxh3(name.encode() + b"\0" + u32(i), seed), id, index))
    points.sort()
    places = [point for point, _, _ in points]
    return [
        points[bisect_left(places, slot << (64 - bits)) % len(points)][2]
        for slot in range(1 << bits)
    ]


def check_ring(case):
    def table(bits):
        return ring(case["shards"], case["vnodes"], int(case["seed"]), int(bits))

    for bits, given in case["table"].items():
        same(table(bits), unpack(given), case)
    for bits, given in case["digests"].items():
        same(digest(table(bits)), given, case)


def balanced(present, weights):
    slots, total = len(present), sum(weights)
    if total == 0:
        raise Refused("topology")
    shares = [Fraction(slots * m, total) for m in weights]
    target = {index: int(share) for index, share in enumerate(shares)}
    have = {index: 0 for index in range(1 << 16)}
    for index in present:
        have[index] += 1

    def turn(index):
        if target[index] == 0:
            return 0, index
        return (1 if have[index] > target[index] else 2), index

    left = slots - sum(target.values())
    rounded = sorted((i for i, s in enumerate(shares) if s.denominator != 1), key=turn)
    for index in rounded[:left]:
        target[index] += 1
    if any(m and not target[index] for index, m in enumerate(weights)):
        raise Refused("no_slots")

    gives = {i: have[i] - target.get(i, 0) for i in have if have[i] > target.get(i, 0)}
    line = []
    for rank, (index, count) in enumerate(sorted(gives.items())):
        phase = rank * 0x9E3779B9 % 2**32
        own = [slot for slot, owner in enumerate(present) if owner == index] if count else []
        line += [((k * 2**32 + phase) // count, slot) for k, slot in enumerate(own[:count])]
    line = [slot for _, slot in sorted(line)]
    table = list(present)
    for index in sorted(target):
        need = max(0, target[index] - have[index])
        for slot in line[:need]:
            table[slot] = index
        line = line[need:]
    assert not line
    return table


def check_balanced(case):
    if "shards" in case:
        start = ring(case["shards"], case["vnodes"], int(case["seed"]), case["bits"])
        now = balanced(start, [m for _, _, m in case["shards"]])
    else:
        now = unpack(case["table"])

    def shown(table):
        return digest(table) if case["bits"] > 8 else table

    def given(text):
        return text if case["bits"] > 8 else unpack(text)

    same(shown(now), given(case["start"]), case)
    for step in case["steps"]:
        try:
            after = balanced(now, step["weights"])
        except Refused as refused:
            same(str(refused), step.get("error"), step)
            continue
        same(sum(a != b for a, b in zip(now, after)), step["moved"], step)
        same(shown(after), given(step["table"]), step)
        now = after


def check_replicas(case):
    table, zones = unpack(case["table"]), case["zones"]
    clockwise = list(dict.fromkeys(table[case["slot"] :] + table[: case["slot"]]))
    zone = {index: zones[index] if zones else 0 for index in clockwise}
    chosen = []
    while clockwise and len(chosen) < case["n"]:
        used = {zone[index] for index in chosen}
        fresh = [index for index in clockwise if zone[index] not in used]
        chosen.append((fresh or clockwise)[0])
        clockwise.remove(chosen[-1])
    same(chosen, case["shards"], case)


def check_modulo(case):
    before, after = case["before"], case["after"]
    whole = lcm(before, after)
    moving = whole - min(before, after)
    by = gcd(moving, whole)
    same([str(moving // by), str(whole // by)], case["share"], case)


# Slottings


def crc32(data, seed):
    return zlib.crc32(data)


def md5(data, seed):
    return int(hashlib.md5(data).hexdigest()[:16], 16)


def md5_128(data, seed):
    return int(hashlib.md5(data).hexdigest(), 16)


def fnv1a64(data, seed):
    hashed = 14695981039346656037
    for byte in data:
        hashed = (hashed ^ byte) * 1099511628211 % 2**64
    return hashed


def murmur3(data, seed):
    def times(a, b):
        return a * b % 2**32

    def rotated(a, by):
        return (a << by | a >> 32 - by) % 2**32

    hashed = seed
    for at in range(0, len(data), 4):
        word = int.from_bytes(data[at : at + 4], "little")
        hashed ^= times(rotated(times(word, 0xCC9E2D51), 15), 0x1B873593)
        if at + 4 <= len(data):
            hashed = (times(rotated(hashed, 13), 5) + 0xE6546B64) % 2**32
    hashed ^= len(data)
    hashed = times(hashed ^ hashed >> 16, 0x85EBCA6B)
    hashed = times(hashed ^ hashed >> 13, 0xC2B2AE35)
    return hashed ^ hashed >> 16


HASHES = {
    "crc32": crc32,
    "md5": md5,
    "md5-128": md5_128,
    "fnv1a64": fnv1a64,
    "murmur3": murmur3,
    "xxh64": xxhash.xxh64_intdigest,
    "xxh3": xxh3,
}


def in_modulo(modulo, part):
    hashed = HASHES[modulo["hash"]](part, modulo["seed"])
    buckets, slots = modulo["buckets"], 1 << modulo["bits"]
    bucket = hashed % buckets
    start, end = bucket * slots // buckets, (bucket + 1) * slots // buckets
    finer = 20 - modulo["bits"]
    return hashed, (start << finer) + hashed // buckets % (end - start << finer)


def in_ketama(ketama, part):
    def words(data):
        digest = hashlib.md5(data).digest()
        return [int.from_bytes(digest[at : at + 4], "little") for at in range(0, 16, 4)]

    points = sorted(
        {
            point
            for server in ketama["servers"]
            for n in range(server["digests"])
            for point in words(f"{server['name']}-{n}".encode())
        }
    )
    lengths = [(point - before - 1) % 2**32 + 1 for before, point in zip(points[-1:] + points, points)]
    spare = (1 << ketama["bits"]) - len(points)
    starts = [n + sum(lengths[:n]) * spare // 2**32 for n in range(len(points) + 1)]
    hashed = words(part)[0]
    arc = bisect_left(points, hashed) % len(points)
    finer = 20 - ketama["bits"]
    offset = (hashed - points[arc - 1] - 1) % 2**32
    width = starts[arc + 1] - starts[arc] << finer
    return hashed, (starts[arc] << finer) + offset * width // lengths[arc]


def placed(keyspace, part):
    """The hash of a routing part, and the 20 bits that are stored with its row."""
    seed, slotting = int(keyspace["seed"]), keyspace["slotting"]
    hashed = xxh3(part, seed)
    if slotting == "xxh3":
        return hashed, hashed >> 44
    if slotting == "redis-cluster":
        crc = binascii.crc_hqx(part, 0)
        return crc, (crc % 16384 << 6) + (hashed >> 58)
    if "modulo" in slotting:
        return in_modulo(slotting["modulo"], part)
    return in_ketama(slotting["ketama"], part)


# Explanations


def phase_name(phase):
    return phase if isinstance(phase, str) else f"ended-{phase['ended']}"


def is_carved(wave):
    return phase_name(wave["phase"]) not in ("prepare", "ended-from", "ended-to")


def interval(matches):
    """The keys that match: the first, and one after the last or None."""
    ((kind, of),) = matches.items()
    if kind == "range":
        return bytes(of["start"]), bytes(of["end"]) or None
    start = bytes(of)
    if kind == "exact":
        return start, start + b"\0"
    rest = start.rstrip(b"\xff")
    return start, rest[:-1] + bytes([rest[-1] + 1]) if rest else None


def in_front(keyspace, key, slot):
    """What has `key` before its slot's home has it, innermost first."""
    found = []
    for front in keyspace["directory"] + [w for w in keyspace["waves"] if is_carved(w)]:
        matches = front["matches"]
        start, end = interval(matches) if matches else (b"", None)
        in_slots = any(of["start"] <= slot < of["end"] for of in front["slots"])
        if in_slots and start <= key and (end is None or key < end):
            found.append(((start, matches is not None), end, front))
    # A wave has its keys before the override that it is carved from. What is inside something else
    # ends no later, and begins no earlier.
    found.reverse()
    found.sort(key=lambda one: (one[1] is None, one[1] or b""))
    found.sort(key=lambda one: one[0], reverse=True)
    return [front for _, _, front in found]


def explanation(draft, keyspace, key):
    """What routes `key`, straight from the content of a snapshot."""
    names = {shard["id"]: shard["name"] for shard in draft["shards"]}
    rule = "hash_tag" if keyspace["rule"] == "hash-tag" else keyspace["rule"]
    part = routing_part(rule, key)
    hashed, stored = placed(keyspace, part)
    slot = stored >> (20 - keyspace["bits"])
    table = [run["shard"] for run in keyspace["assignment"] for _ in range(run["len"])]
    owner = table[slot]
    home = keyspace["homes"][owner]
    said = {
        "keyspace": keyspace["name"],
        "epoch": draft["epoch"],
        "routing_part": part.hex(),
        "hash": f"{hashed:016x}",
        "slots": 1 << keyspace["bits"],
        "slot": slot,
        "pinned": False,
        "domain": home["domain"],
        "domain_epoch": home["epoch"],
        "phase": None,
        "ramp": None,
        "authority": draft["shards"][owner]["name"],
        "mirror": None,
        "reads": [draft["shards"][owner]["name"]],
        "strict": False,
    }
    for front in in_front(keyspace, key, slot)[:1]:
        if "target" in front:
            name = names[front["target"]["shard"]]
            where = {"domain": front["domain"], "domain_epoch": front["epoch"]}
            return said | where | {"pinned": True, "authority": name, "reads": [name]}
        wave, phase = front, phase_name(front["phase"])
        first, second = names[wave["from"]], names[wave["to"]]
        if phase == "reversed":
            first, second = second, first
        said |= {"domain": wave["domain"], "domain_epoch": wave["epoch"]}
        said["phase"] = "switching" if wave["switching"] else phase
        said |= {"authority": first, "mirror": second, "reads": [first]}
        said["strict"] = wave["strict"] or phase == "read-new"
        if phase == "read-new":
            seed = int(keyspace["seed"]) ^ wave["domain"]
            ramped = xxh3(part, seed) % 1_000_000 < wave["ramp_ppm"]
            said["ramp"] = [wave["ramp_ppm"], ramped]
            said["reads"] = [second, first] if ramped else [first]
    return said


def check_explanations(file):
    drafts = {case["name"]: case["draft"] for case in file["snapshots"]["cases"]}
    cases = file["explanations"]["cases"]
    for case in cases:
        draft = drafts[case["snapshot"]]
        (keyspace,) = (k for k in draft["keyspaces"] if k["name"] == case["keyspace"])
        said = explanation(draft, keyspace, unhex(case["key"]))
        same(said, case["explanation"], case)
    print(f"explanations: {len(cases)} cases agree")


def moved_by(plan, keyspace, owners):
    """The owners once every wave of whole slots has gone over; each slot goes once, from its owner."""
    after, gone = list(owners), set()
    for wave in plan["log"]["planned"]:
        if wave["keyspace"] != keyspace or wave["matches"] is not None:
            continue
        for run in wave["slots"]:
            for slot in range(run["start"], run["end"]):
                same(after[slot] == wave["from"] and slot not in gone, True, plan["waves"])
                gone.add(slot)
                after[slot] = wave["to"]
    return after, len(gone)


def nearest(part, of):
    """To the nearest whole one."""
    return (2 * part + of) // (2 * of)


def check_plan(case):
    plan, changes = case["plan"], case["changes"]
    shards = plan["log"]["enlist"]
    weights = {s["id"]: 0 if s["state"] == "draining" else s["weight"] for s in shards}
    for id in plan["log"]["delist"]:
        weights[id] = 0
    for number, (figures, owners) in enumerate(zip(plan["figures"], case["owners"].values())):
        after, moved = moved_by(plan, number, owners)
        here = [w for w in plan["log"]["planned"] if w["keyspace"] == number]
        same(len(here), figures["waves"], figures)
        if any(wave["matches"] is not None for wave in here) or plan["log"]["grow"]:
            continue
        same([moved, len(owners)], [figures["slots_moved"], figures["slots"]], figures)
        if case["wave_slots_max"]:
            sizes = [sum(r["end"] - r["start"] for r in wave["slots"]) for wave in here]
            same(max(sizes, default=0) <= case["wave_slots_max"], True, figures)
        for row in plan["shards"]:
            if row["keyspace"] != figures["keyspace"]:
                continue
            counts = [table.count(row["shard"]) for table in (owners, after)]
            same(counts, [row["slots_before"], row["slots_after"]], row)
            ideal = nearest(weights[row["shard"]] * len(owners), sum(weights.values()))
            same(ideal, row["slots_ideal"], row)
        # Exact shares, unless a ring places the slots or somebody's hand does.
        is_full = "balance" not in changes and "move_slots" not in changes
        if is_full and figures["keyspace"] != "carts":
            order = sorted(weights)
            wanted = balanced([order.index(id) for id in owners], [weights[id] for id in order])
            same([order[index] for index in wanted], after, figures)
            same(moved, figures["slots_least"], figures)
    rate, sizes = (case["options"] or {}).get("rate"), (case["options"] or {}).get("sizes", {})
    for wave in plan["waves"]:
        if rate and wave["keyspace"] in sizes:
            moves = wave["moves"]
            slow = [(moves["keys"], rate["rows_per_s"]), (moves["bytes"], rate["bytes_per_s"])]
            same(max(-(-1000 * n // per_s) for n, per_s in slow), wave["copy_ms"], wave)


def check_plans(file):
    cases = file["plans"]["cases"]
    for case in cases:
        check_plan(case)
    print(f"plans: {len(cases)} cases agree")


# What a coordinator judges by

MINUTE_MS = 60_000
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def verdicts(case):
    """Each gate, the fact and its limit: at the limit most of them fail."""
    usual = {"error_ppm_limit": 10_000, "p99_percent_limit": 150, "p99_us_limit": None}
    usual |= {"mirror_failures_ppm_limit": 10_000, "shadow_mismatches_max": 0, "unknown": "pass"}
    gates, health, own = usual | case["gates"], case["health"] or {}, case["own"]
    base = health.get("baseline_p99_us")
    # Without any health, nothing is held against anything.
    named = None if case["health"] is None else gates["p99_us_limit"]
    limits = [named, base and base * gates["p99_percent_limit"] // 100]
    shadow = health.get("shadow_mismatches")
    if shadow is not None:
        shadow = max(0, shadow - own.get("shadow_base", 0))
    most = gates["shadow_mismatches_max"]
    facts = [
        ("errors", health.get("error_ppm"), gates["error_ppm_limit"], 0),
        ("latency", health.get("p99_us"), min((n for n in limits if n is not None), default=None), 0),
        ("mirror-failures", health.get("mirror_failures_ppm"), gates["mirror_failures_ppm_limit"], 0),
        ("shadow-mismatches", shadow, most, 1),
        ("mismatches", own.get("mismatches", 0), 0, 1),
    ]
    said = []
    for gate, found, limit, more in facts:
        is_known = found is not None and limit is not None
        state = ("passes" if found < limit + more else "fails") if is_known else "unknown"
        said.append({"gate": gate, "state": state, "found": found, "limit": limit})
    healthy = {store["shard"]: store["healthy"] for store in health.get("stores", [])}
    for shard in case["shards"]:
        known = healthy.get(shard)
        state = "unknown" if known is None else "passes" if known else "fails"
        found = None if known is None else int(known)
        said.append({"gate": {"store": shard}, "state": state, "found": found, "limit": None})
    for one in said:
        waits = one["state"] == "unknown" and gates["unknown"] == "wait"
        one["holds"] = one["state"] == "fails" or waits
    return said


def within(minute, stretches):
    """Whether a minute of the day is in one of the stretches; one may go over midnight."""
    for stretch in stretches:
        start, end = (int(t[:2]) * 60 + int(t[3:]) for t in stretch.split("-"))
        if start == end or (start <= minute < end if start < end else minute >= start or minute < end):
            return True
    return False


def is_open(calendar, local):
    """`local` is in minutes since 1970-01-01 00:00."""
    moment = datetime(1970, 1, 1) + timedelta(minutes=local)
    off = DAYS[moment.weekday()] in calendar.get("days_off", [])
    off |= f"{moment:%Y-%m-%d}" in calendar.get("dates_off", [])
    hours = calendar.get("hours", [])
    return not off and (not hours or within(local % 1440, hours))


def allowed(case):
    calendar, unix_ms = case["calendar"], case["unix_ms"]
    peak = calendar.get("peak", [])
    rate = calendar.get("peak_rows_per_s_max", 0), calendar.get("off_peak_rows_per_s_max")
    named = any(calendar.get(name) for name in ("hours", "days_off", "dates_off"))
    if unix_ms is None:
        opens = None if named else 0
        return {"open": not named, "opens_in_ms": opens, "rows_per_s_max": rate[0 if peak else 1]}
    local = unix_ms // MINUTE_MS + case["utc_offset_min"]
    is_peak = within(local % 1440, peak)
    last = (local // 1440 + 400) * 1440
    minute = next((at for at in range(local, last) if is_open(calendar, at)), None)
    opens = None if minute is None else (minute - local) * MINUTE_MS
    said = {"open": minute == local, "opens_in_ms": opens}
    return said | {"rows_per_s_max": rate[0 if is_peak else 1]}


def check_pace(case):
    bounds = {"rows_per_s_min": 500, "rows_per_s_start": 0, "rows_per_s_max": 200_000}
    bounds |= {"adjust_ms": 1_000} | case["throttle"]
    most = bounds["rows_per_s_max"]
    least = min(max(bounds["rows_per_s_min"], 1), max(most, 1))

    def bounded(rate):
        return min(max(rate, least), max(most, least))

    rate = bounded(bounds["rows_per_s_start"] or most) if most else None
    adjusted, ready_us = None, 0
    for event in case["events"]:
        if "p99" in event and rate is not None:
            at, p99, limit, before = event["p99"]
            target = limit * 4 // 5
            low = max(target // 2, min((before or 0) * 11 // 10, target))
            step = rate * 4 // 5 if p99 > target else -(-rate * 6 // 5) if p99 < low else None
            if step is not None and (adjusted is None or at - adjusted >= bounds["adjust_ms"]):
                adjusted, rate = at, bounded(step)
        if "spend" in event and event["spend"][1] is not None:
            at, by, rows = event["spend"]
            ready_us = max(ready_us, at * 1000) + rows * 1_000_000 // max(by, 1)
        under = 700 if rate is None else min(rate, 700)
        said = [rate, under, -(-ready_us // 1000)]
        same(said, [event["rate"], event["under"], event["ready_at"]], event)


def check_gates(file):
    for case in file["verdicts"]["cases"]:
        same(verdicts(case), case["verdicts"], case)
    for case in file["hours"]["cases"]:
        same(allowed(case), case["allowed"], case)
    for case in file["paces"]["cases"]:
        check_pace(case)
    for name in ("verdicts", "hours", "paces"):
        print(f"{name}: {len(file[name]['cases'])} cases agree")


def check_codes(file):
    cases = file["codes"]["cases"]
    slugs = [case["code"] for case in cases]
    same(len(set(slugs)), len(slugs), "codes")
    same(all(slug.replace("_", "").isalpha() and slug.islower() for slug in slugs), True, "codes")
    # What this file provokes must be among them.
    same({"key_type", "key_encoding", "key_too_long", "key_parts", "topology"} <= set(slugs), True, "codes")
    print(f"codes: {len(cases)} cases agree")


CHECKS = {
    "keys": check_key,
    "composites": check_composite,
    "typed_keys": check_typed_key,
    "weights": check_weight,
    "rings": check_ring,
    "balanced": check_balanced,
    "replicas": check_replicas,
    "ramps": check_ramp,
    "modulo": check_modulo,
}


def main():
    def file(name):
        return json.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))

    sections = file("placement.json")
    same(sorted(sections), sorted(CHECKS), "sections")
    for name, section in sections.items():
        for case in section["cases"]:
            CHECKS[name](case)
        print(f"{name}: {len(section['cases'])} cases agree")
    check_explanations(file("snapshot.json"))
    check_plans(file("plans.json"))
    check_gates(file("gates.json"))
    check_codes(file("errors.json"))
    print(f"{checked} values agree")


if __name__ == "__main__":
    main()
