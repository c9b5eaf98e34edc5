"""Reads samples/NAME.expect and judges the findings and flows of one run against it.

    about: what really happened, with the frames that show it
    stack: WORD ...          what made it (servers, clients, devices) where the sample's name does not tell it apart: tiers.py
    truth: packets=N tcp=N
    outcome: ok=N failed=N unknown=N unsolicited=N     TCP connections; only what is named is checked
    tcp: COLUMN=N ...           sums of client_COLUMN and server_COLUMN in flow_tcp, as captured
    http: STATUS=N ...          final answers of all HTTP/1 and HTTP/2 requests, by status, as captured
    must: CODE [culprit=W] [count=N] [server=IP:PORT] [client=IP] [VALUE=number±N%] [VALUE=word]
    later: CODE ...          the truth too, but nothing judges it yet: fails as soon as it is found, to become a must
    mustnot: CODE
    allow: CODE              may appear at medium or above
    one-sided-allow: CODE    may appear when the answers are taken away
    one-sided-must: CODE ... has to appear then
    one-sided-says: no       the rest is no proof of one-sidedness either (else capture-one-sided has to appear)
    no-cut: reason           the one-byte variant changes the truth
    no-double: reason
    no-oneway: reason
"""
SEVERITIES = ["info", "low", "medium", "high", "critical"]
# Sums over many connections: they follow from the listed faults, so three failures may raise them.
DERIVED = {"service-handshake-rate-low", "service-outage", "service-error-slo"}
ACCUSING = {"network", "server", "auth", "dependency", "security"}


class Malformed(Exception):
    pass


def parse(path):
    e = {"about": "", "stack": "", "truth": {}, "outcome": {}, "tcp": {}, "http": {}, "must": [], "later": [], "mustnot": set(), "allow": set(), "one-sided-allow": set(),
         "one-sided-must": [], "one-sided-says": "yes", "no-cut": None, "no-double": None, "no-oneway": None}
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            word, colon, rest = line.partition(":")
            if not colon or word not in e:
                raise Malformed(f"{path}:{number}: unknown line: {line}")
            _take(e, word, rest.split("#")[0].strip() if word != "about" else rest.strip())
    return e


def _take(e, word, rest):
    if word == "about":
        e[word] += rest + " "
    elif word in ("truth", "outcome", "tcp", "http"):
        e[word].update({k: int(v) for k, v in (item.split("=") for item in rest.split())})
    elif word in ("must", "later", "one-sided-must"):
        code, *attributes = rest.split()
        e[word].append((code, dict(a.split("=", 1) for a in attributes)))
    elif word in ("mustnot", "allow", "one-sided-allow"):
        e[word].update(rest.split())
    else:
        e[word] = rest or "no reason given"


def _number_fits(wanted, found):
    if found is None:
        return False
    if isinstance(found, str):
        return found in (wanted, wanted.replace("_", " "))
    text, _, spread = wanted.replace("+-", "±").partition("±")
    share = float(spread.rstrip("%")) / 100 if spread else 0.0
    return abs(float(found) - float(text)) <= abs(float(text)) * share + 1e-9


def _fits(finding, attributes):
    for key, wanted in attributes.items():
        if key == "count":
            continue
        if key == "server":
            found = f"{finding.get('server_ip')}:{finding.get('server_port')}"
            if wanted != found and wanted != finding.get("server_ip"):
                return False
        elif key == "client":
            if finding.get("client_ip") != wanted:
                return False
        elif key == "confidence":
            if finding.get("confidence", 0) < int(wanted.lstrip(">=")):
                return False
        elif key in ("culprit", "category", "severity", "scope", "name"):
            if str(finding.get(key)) not in wanted.split("|"):
                return False
        elif not _number_fits(wanted, finding.get("values", {}).get(key)):
            return False
    return True


def _describe(f):
    return (f"{f.get('code')} {f.get('severity')} culprit={f.get('culprit')} count={f.get('count')} "
            f"client={f.get('client_ip')} server={f.get('server_ip')}:{f.get('server_port')} "
            f"confidence={f.get('confidence')} values={f.get('values')}")


def _check_must(must, findings):
    wrong = []
    for code, attributes in must:
        named = [f for f in findings if f.get("code") == code]
        fitting = [f for f in named if _fits(f, attributes)]
        shown = code + "".join(f" {k}={v}" for k, v in attributes.items())
        if not fitting:
            wrong.append(f"missing: {shown}" + "".join(f"\n        found: {_describe(f)}" for f in named))
            continue
        if "count" in attributes:
            total = sum(f.get("count", 1) for f in fitting)
            wanted = attributes["count"]
            good = total >= int(wanted[2:]) if wanted.startswith(">=") else total == int(wanted)
            if not good:
                wrong.append(f"count: {shown}, found {total}")
    return wrong


def _at_least_medium(f):
    return SEVERITIES.index(f.get("severity", "info")) >= SEVERITIES.index("medium")


def _outcomes(flows):
    found = {}
    for f in flows:
        if str(f.get("protocol")).lower() in ("6", "tcp"):
            found[f.get("outcome")] = found.get(f.get("outcome"), 0) + 1
    return found


def check_tcp(wanted, segments):
    """What is wrong with the sums over both sides of all connections."""
    wrong = []
    for name, count in wanted.items():
        if segments and f"client_{name}" not in segments[0]:
            wrong.append(f"tcp: flow_tcp has no client_{name}")
        found = sum(int(row.get(f"{side}_{name}") or 0) for row in segments for side in ("client", "server"))
        if found != count:
            wrong.append(f"tcp: {name}={count} expected, found {found}")
    return wrong


def check_http(wanted, answers):
    """What is wrong with the number of answers by status; every status has to be named."""
    found = {}
    for row in answers:
        status = str(row.get("status", "none"))
        found[status] = found.get(status, 0) + 1
    return [f"http: {wanted} expected, found {found}"] if wanted and found != wanted else []


def judge(e, findings, flows, variant):
    """The list of what is wrong; empty when the run fits."""
    if variant == "oneway":
        return _judge_one_sided(e, findings, flows)
    wrong = _check_must(e["must"], findings)
    forbidden = set(e["mustnot"])
    if variant == "double":
        forbidden.discard("capture-duplicates")
        wrong += _check_must([("capture-duplicates", {})], findings)
    for item in e["later"]:
        if not _check_must([item], findings):
            wrong.append(f"{item[0]} is found now: make it a must")
    allowed = {code for code, _ in e["must"] + e["later"]} | e["allow"]
    if e["outcome"].get("failed", 0) >= 3:
        allowed |= DERIVED
    for f in findings:
        if f["code"] in forbidden:
            wrong.append("must not: " + _describe(f))
        elif _at_least_medium(f) and f["code"] not in allowed:
            wrong.append("not expected: " + _describe(f))
    found = _outcomes(flows)
    for word, count in e["outcome"].items():
        if found.get(word, 0) != count:
            wrong.append(f"outcome: {word}={count} expected, found {found}")
    if variant == "as-captured" and sum(found.values()) < e["truth"].get("tcp", 0):
        wrong.append(f"truth: {e['truth']['tcp']} TCP connections, found {sum(found.values())}")
    return wrong + _check_evidence(findings, e["truth"].get("packets") if variant == "as-captured" else None)


def _judge_one_sided(e, findings, flows):
    wrong = _check_must(e["one-sided-must"], findings)
    if e["one-sided-says"] != "no":
        wrong += _check_must([("capture-one-sided", {})], findings)
    allowed = e["one-sided-allow"] | {code for code, _ in e["one-sided-must"]}
    for f in findings:
        if _at_least_medium(f) and f.get("category") in ACCUSING and f["code"] not in allowed:
            wrong.append("not provable from one side: " + _describe(f))
    failed = _outcomes(flows).get("failed", 0)
    if "failed" in e["outcome"] and failed > e["outcome"]["failed"]:
        wrong.append(f"one side: {failed} failed, more than the {e['outcome']['failed']} of both sides")
    return wrong


def _check_evidence(findings, packets):
    """Frames that exist, at least one, are what makes a finding worth its name."""
    wrong = []
    for f in findings:
        frames = [v.get("frame") for v in f.get("evidence", []) if v.get("frame")]
        if not frames and _at_least_medium(f):
            wrong.append("no evidence: " + _describe(f))
        if packets and any(not 1 <= frame <= packets for frame in frames):
            wrong.append(f"evidence outside the file: {_describe(f)} frames={frames}")
    return wrong
