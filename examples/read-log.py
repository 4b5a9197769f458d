#!/usr/bin/env python3
"""Reads a Xenolog run with nothing but the standard library: checks the chain of its blocks and prints every step as a line of JSON.

    python3 read-log.py RUN.xlog [--facts | --start]

A run of several files (RUN.xlog, RUN.2.xlog ...) is read from the one that is named to the last that is there. The format is described
in docs/log-format.md; the lines are those of `xenolog export RUN --format jsonl`. With --facts only what happened is printed, and the
columns of commands, reads and answers are not looked at. With --start the tables are printed that a later file of a run starts from, each row
that is in use, and the nodes of XenStore. Exit status: 0, or 2 for a log that can not be
used; a log that was cut is read as far as it goes, with the steps of its sidecar (RUN.xlog-wal, see docs/durability.md), and
standard error says so.
"""
import base64
import hashlib
import json
import os
import re
import struct
import sys
import zlib

MAGIC = b"XENOLOG\n"
HEADER = 20
BLOCK_MAGIC = b"XBLK"
BLOCK_HEADER = 64
SIDECAR_MAGIC = b"XENOWAL\n"
SIDECAR_HEADER = 88
ROW_HEADER = 20
STEPS, END, START = 1, 2, 3
# The first columns of a block belong to the step itself.
FRAME = ["int", "text", "int", "int", "uint", "uint", "int", "uint", "uint", "uint"]
TIME, ORIGIN, CAUSE, BATCH, COMMAND, READ_COUNT, READS, OUTCOME, FACT_COUNT, FACTS = range(10)


class Unusable(Exception):
    pass


class Column:
    """Reads the values of one column of one block, one after the other."""

    def __init__(self, data, kind, names=None):
        self.data, self.kind, self.names = data, kind, names
        self.at = 0
        self.last = 0
        self.words = []
        # A column without bytes holds zeros and empty lists.
        self.absent = len(data) == 0 and kind not in ("text", "bytes")

    def uint(self):
        value, scale = 0, 1
        while True:
            byte = self.data[self.at]
            self.at += 1
            value += (byte & 127) * scale
            if byte < 128:
                return value
            scale *= 128

    def signed(self):
        """Sign and six bits first, then the rest; None is the escape that stands before a number that is no difference."""
        first = self.data[self.at]
        self.at += 1
        value = (first >> 1) & 63
        if first >= 128:
            value += self.uint() * 64
        if first & 1:
            return None if value == 0 else -value
        return value

    def number(self):
        value = self.signed()
        return 0 if value is None else value

    def raw(self):
        size = self.uint()
        part = self.data[self.at : self.at + size]
        self.at += size
        return part

    def word(self):
        known = self.uint()
        if known:
            return self.words[known - 1]
        self.words.append(self.raw().decode("latin-1"))
        return self.words[-1]

    def take(self):
        kind = self.kind
        if kind == "int":
            if self.absent:
                return 0
            step = self.signed()
            self.last = self.number() if step is None else self.last + step
            return self.last
        if kind == "uint":
            return 0 if self.absent else self.uint()
        if kind == "name":
            return self.names[0 if self.absent else self.uint()]
        if kind == "bool":
            return not self.absent and self.uint() == 1
        if kind == "text":
            return self.word()
        if kind == "bytes":
            return base64.b64encode(self.raw()).decode()
        count = 0 if self.absent else self.uint()
        return [self.word() if kind == "texts" else self.number() for _ in range(count)]


def read_header(data):
    if not data or data[:8] != MAGIC[: len(data)]:
        raise Unusable("not a Xenolog run")
    if len(data) < HEADER:
        raise Unusable(f"the header is cut off after {len(data)} bytes")
    version, length, crc = struct.unpack_from("<III", data, 8)
    body = data[HEADER : HEADER + length]
    if len(body) < length:
        raise Unusable("the header is cut off")
    if zlib.crc32(data[:16] + body) != crc:
        raise Unusable("the header is damaged: its checksum differs")
    if version not in (1, 2):
        raise Unusable(f"the log has format {version}; this reader knows 1 and 2")
    return json.loads(body), HEADER + length


def read_files(path):
    """Yields the content of each file of a run, in order, having checked that it follows the one before."""
    run, number, stem = None, 1, path
    while True:
        with open(path, "rb") as file:
            data = file.read()
        header, start = read_header(data)
        part = header.get("part")
        if run is None:
            run = part["run"] if part else hashlib.sha256(data[:start]).hexdigest()
            number = part["number"] if part else 1
            stem = re.sub(rf"\.{number}\.xlog$" if part else r"\.xlog$", "", path)
            first, chain = (part["first"], None) if part else (0, None)
        elif part is None or part["run"] != run:
            print(f"{path} belongs to another run: it is left aside", file=sys.stderr)
            return
        elif (part["number"], part["first"], part["follows"]) != (number, first, chain.hex()):
            raise Unusable(f"file {number} does not follow the one before it")
        place = {"first": first}
        place.update(run=hashlib.sha256(data[:start]).digest(), path=path)
        yield header, read_blocks(data, start, part, place), place
        first, chain, number = place["first"], place["chain"], number + 1
        path = f"{stem}.{number}.xlog"
        if not os.path.exists(path):
            if place["continued"]:
                print(f"the run goes on in a file that is not there, {path}, after step {first - 1}", file=sys.stderr)
            elif not place["closed"]:
                print(place.get("cut", f"the log was not closed: {stops(place)}"), file=sys.stderr)
            return


def read_blocks(data, start, part, place):
    """Yields (kind, number of steps, first step, payload) of every whole block, having checked it; `place` is where they end."""
    chain = hashlib.sha256(data[:start]).digest()
    place.update(chain=chain, closed=False, continued=False)
    at, number = start, 0
    while at < len(data):
        header = data[at : at + BLOCK_HEADER]
        if len(header) < BLOCK_HEADER:
            return cut(number, len(data) - at, place)
        magic, kind, length, count, first, crc = struct.unpack_from("<4sIIIQI", header)
        if magic != BLOCK_MAGIC or zlib.crc32(header[:60]) != struct.unpack_from("<I", header, 60)[0]:
            raise Unusable(f"block {number} is damaged: the checksum of its header differs")
        payload = data[at + BLOCK_HEADER : at + BLOCK_HEADER + length]
        if len(payload) < length:
            return cut(number, len(data) - at, place)
        if zlib.crc32(payload) != crc:
            raise Unusable(f"block {number} is damaged: its checksum differs")
        chain = hashlib.sha256(chain + header[4:28] + payload).digest()
        if chain != header[28:60]:
            raise Unusable(f"block {number} is damaged: it does not follow the block before")
        is_start = kind == START and at == start and part is not None
        if first != place["first"] or not (kind in (STEPS, END) or is_start):
            raise Unusable(f"block {number} is damaged: it is not the block that should stand here")
        at += BLOCK_HEADER + length
        if kind == END:
            end = json.loads(payload)
            if at < len(data):
                raise Unusable(f"{len(data) - at} bytes follow the end of the log")
            if end["steps"] != first:
                raise Unusable(f"the log ends after {first} steps but says it has {end['steps']}")
            place.update(closed=True, continued=end.get("continued", False))
        place.update(chain=chain, first=first + (count if kind == STEPS else 0))
        yield kind, count, first, payload
        number += 1


def cut(number, rest, place):
    place["cut"] = f"the log is cut off in block {number}: {rest} bytes are left out, {stops(place)}"


def stops(place):
    steps = place["first"] + place.get("rows", 0)
    beside = f", the last {place['rows']} of its steps are from its sidecar" if place.get("rows") else ""
    return (f"it stops after step {steps - 1}" if steps else "it stops before its first step") + beside


def columns_of(vocabulary):
    """(kind, names) of every column, and where the columns of each command and fact begin."""
    kinds = [(kind, None) for kind in FRAME]

    def place(fields):
        first = len(kinds)
        kinds.extend((field[1], field[2] if len(field) > 2 else None) for field in fields)
        return [(field[0], first + i) for i, field in enumerate(fields)]

    commands = [(name, place(args), place(returns)) for name, args, returns in vocabulary["commands"]]
    facts = [(name, place(fields)) for name, fields in vocabulary["facts"]]
    return kinds, commands, facts


def read_sidecar(path, place, vocabulary, plan):
    """The steps that a run which was not closed has beside its last block, each with its columns' values one after the other."""
    if place["closed"] or not os.path.exists(path):
        return []
    with open(path, "rb") as file:
        data = file.read()
    if len(data) <= SIDECAR_HEADER:
        return []
    version, chain = 2, place["chain"]
    if data[:8] == SIDECAR_MAGIC and zlib.crc32(data[:84]) == struct.unpack_from("<I", data, 84)[0]:
        version = struct.unpack_from("<I", data, 8)[0]
        if data[20:52] != place["run"]:
            print("the sidecar is that of another run: it is left aside", file=sys.stderr)
            return []
        if data[52:84] != chain:
            return []
    steps, at = [], SIDECAR_HEADER
    while len(data) - at >= ROW_HEADER:
        length, crc, seq, check = struct.unpack_from("<IIQI", data, at)
        if zlib.crc32((chain if version > 1 else b"") + data[at : at + 16]) != check or seq != place["first"] + len(steps):
            break
        payload = data[at + ROW_HEADER : at + ROW_HEADER + length]
        if len(payload) < length or zlib.crc32(payload) != crc:
            break
        steps.append(read_row(payload, seq, vocabulary, plan))
        at += ROW_HEADER + length
    return steps


def read_row(payload, seq, vocabulary, plan):
    kinds, commands, facts = plan
    row = Column(payload, "uint")
    for _ in range(row.uint()):
        row.uint(), row.uint(), row.raw()

    def value(kind, names=None):
        if kind == "int":
            return row.number()
        if kind in ("uint", "bool", "name"):
            number = row.uint()
            return names[number] if kind == "name" else number == 1 if kind == "bool" else number
        if kind in ("text", "bytes"):
            part = row.raw()
            return part.decode("latin-1") if kind == "text" else base64.b64encode(part).decode()
        return [row.raw().decode("latin-1") if kind == "texts" else row.number() for _ in range(row.uint())]

    def message(name, fields):
        made = {} if name is None else {"type": name}
        for field, column in fields:
            made[field] = value(*kinds[column])
        return made

    step = {"seq": seq, "time": value("int"), "origin": value("text")}
    back, batch = value("int"), value("uint")
    step["cause"] = seq - back if back else None
    if batch:
        step["batch"] = batch - 1
    name, args, returns = commands[value("uint")]
    reads = value("ints")
    step["command"] = message(name, args)
    step["reads"] = reads
    step["outcome"] = outcome_of(
        vocabulary,
        value("uint"),
        lambda: message(None, returns),
        lambda: [message(*facts[value("uint")]) for _ in range(value("uint"))],
    )
    return step


def outcome_of(vocabulary, code, value, events):
    outcome = {"ok": code == 0}
    if code:
        outcome["errno"] = vocabulary["errnos"][(code - 1) >> 1]
    if code % 2 == 0:
        outcome["value"] = value()
    happened = events()
    if happened or code == 0:
        outcome["events"] = happened
    return outcome


def read_steps(vocabulary, plan, payload, first, facts_only):
    kinds, commands, facts = plan
    head = Column(payload, "uint")
    count, number = head.uint(), head.uint()
    lengths = [head.uint() for _ in range(number)]
    columns, at = [], head.at
    for (kind, names), length in zip(kinds, lengths):
        columns.append(Column(payload[at : at + length], kind, names))
        at += length

    def message(name, fields):
        made = {} if name is None else {"type": name}
        for field, column in fields:
            made[field] = columns[column].take()
        return made

    def events():
        kinds_of_facts = [columns[FACTS].take() for _ in range(columns[FACT_COUNT].take())]
        return [message(*facts[kind]) for kind in kinds_of_facts]

    for seq in range(first, first + count):
        if facts_only:
            for event in events():
                yield {"seq": seq, "fact": event}
            continue
        step = {"seq": seq, "time": columns[TIME].take(), "origin": columns[ORIGIN].take()}
        back, batch = columns[CAUSE].take(), columns[BATCH].take()
        step["cause"] = seq - back if back else None
        if batch:
            step["batch"] = batch - 1
        name, args, returns = commands[columns[COMMAND].take()]
        reads = [columns[READS].take() for _ in range(columns[READ_COUNT].take())]
        step["command"] = message(name, args)
        step["reads"] = reads
        step["outcome"] = outcome_of(vocabulary, columns[OUTCOME].take(), lambda: message(None, returns), events)
        yield step


SHAPES = ["chunks owners used spare", "rows columns", "kind snapshot", "status value context output error historyValue children"]


class Values(Column):
    """Reads values as a start block has them, one after the other; `pieces` are those that they may name."""

    def __init__(self, data, pieces=()):
        super().__init__(data, "value")
        self.pieces = pieces
        self.shapes = [shape.split() for shape in SHAPES]

    def double(self):
        self.at += 8
        return struct.unpack_from("<d", self.data, self.at - 8)[0]

    def learn(self, text):
        if len(text) <= 24:
            self.words.append(text)
        return text

    def shaped(self, keys):
        return {key: self.value() for key in keys}

    def value(self):
        tag = self.uint()
        if tag < 4:
            return (None, None, True, False)[tag]
        if tag == 4:
            return self.number()
        if tag == 5:
            return self.double()
        if tag == 6:
            return int(self.raw())
        if tag == 7:
            return self.learn(self.raw().decode("latin-1"))
        if tag == 8:
            units = [self.uint() for _ in range(self.uint())]
            return self.learn(struct.pack(f"<{len(units)}H", *units).decode("utf-16-le", "surrogatepass"))
        if tag == 9:
            return self.words[self.uint()]
        if tag in (10, 14):
            return [self.value() for _ in range(self.uint())]
        if tag == 11:
            keys = []
            self.shapes.append(keys)
            keys.extend([self.value() for _ in range(self.uint())])
            return self.shaped(keys)
        if tag == 12:
            return self.shaped(self.shapes[self.uint()])
        if tag == 13:
            return [(self.value(), self.value()) for _ in range(self.uint())]
        if tag == 15:
            return self.raw()
        if tag == 16:
            return self.numbers()
        piece = self.pieces[self.uint()]
        return piece if tag == 17 else Values(piece).value() if tag == 18 else Values(piece).node([])

    def numbers(self):
        self.uint()
        length, numbers = self.uint(), []
        while len(numbers) < length:
            numbers.extend([0] * self.uint())
            if len(numbers) == length:
                break
            for _ in range(self.uint()):
                number = self.signed()
                numbers.append(self.double() if number is None else number)
        return numbers

    def node(self, known):
        node = {"name": self.raw().decode("latin-1"), "value": self.raw().decode("latin-1")}
        number = self.uint()
        if number == 0:
            perms = [(self.number(), self.number(), self.number()) for _ in range(self.uint())]
            if len(known) < 8:
                known.append(perms)
        node["perms"] = perms if number == 0 else known[number - 1]
        self.number(), self.number()
        node["children"] = [self.node(known) for _ in range(self.uint())]
        return node


def read_start(payload):
    """The layout and the checkpoint of a start block."""
    if payload[:8] != b"XSTART\n\0" or struct.unpack_from("<I", payload, 8)[0] != 2:
        raise Unusable("the start is of another version")
    head = Values(payload)
    head.at = 12
    layout = json.loads(head.raw())
    for _ in range(head.uint()):
        head.raw(), head.uint()  # a digest
    lengths = [head.uint() for _ in range(head.uint())]
    pieces, at = [], head.at
    for length in lengths:
        pieces.append(payload[at : at + length])
        at += length
    return layout, Values(payload[at:], pieces).value()


def lines_of_start(payload):
    layout, checkpoint = read_start(payload)
    host = checkpoint["host"]
    for (name, page_rows, columns), table in zip(layout["tables"], host["xen"]["tables"] + host["tables"]):
        rows = []
        for chunk in table["chunks"]:
            full = [column if len(column) else [0] * chunk["rows"] for column in chunk["columns"]]
            rows.extend(zip(*full))
        for owner, pages in enumerate(table["owners"]):
            for row in range(len(pages or ()) * page_rows):
                numbers = rows[pages[row // page_rows] * page_rows + row % page_rows]
                if any(numbers):
                    made = {column: kind[n] if isinstance(kind, list) and n < len(kind) else n for (column, kind), n in zip(columns, numbers)}
                    yield {"table": name, "owner": owner, "row": row, "columns": made}
    nodes = [("", host["store"]["root"])]
    while nodes:
        path, node = nodes.pop()
        yield {"node": path or "/", "value": node["value"]}
        nodes.extend((f"{path}/{child['name']}", child) for child in reversed(node["children"]))


def main(path, facts_only, start_only):
    def say(line):
        sys.stdout.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")

    for header, blocks, place in read_files(path):
        vocabulary = header["vocabulary"]
        plan = columns_of(vocabulary)
        for kind, _, first, payload in blocks:
            if kind == START and start_only:
                for line in lines_of_start(payload):
                    say(line)
            if kind == STEPS and not start_only:
                for line in read_steps(vocabulary, plan, payload, first, facts_only):
                    say(line)
        if start_only:
            continue
        rows = read_sidecar(f"{place['path']}-wal", place, vocabulary, plan)
        if rows:
            place["rows"] = len(rows)
            place.pop("cut", None)
        for step in rows:
            for line in [{"seq": step["seq"], "fact": event} for event in step["outcome"].get("events", [])] if facts_only else [step]:
                say(line)


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument not in ("--facts", "--start")]
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.exit(__doc__)
    sys.stdout.reconfigure(encoding="utf-8")
    try:
        main(arguments[0], "--facts" in sys.argv, "--start" in sys.argv)
    except BrokenPipeError:  # as in "| head -1": nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Unusable as problem:
        print(f"{arguments[0]}: {problem}", file=sys.stderr)
        sys.exit(2)
    except OSError as problem:
        print(problem, file=sys.stderr)
        sys.exit(2)
