#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Seeds for the fuzz targets: tests/corpus.py NAME DIRECTORY.

One good request of each function code, alone and in streams, as each framer
has it, with the inputs that have broken other servers.
"""
import json
import os
import re
import struct
import sys

CONF = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "conf")

REQUESTS = [
    "01 0000 0008", "02 0000 0008", "03 0000 0001", "03 0000 007d",
    "04 0000 0002", "05 0001 ff00", "05 0001 0000", "06 0000 1234", "07",
    "08 0000 a537", "08 0001 0000", "08 0001 ff00", "08 0002 0000",
    "08 0003 2300", "08 0004 0000", "08 000a 0000", "08 000b 0000",
    "08 0014 0000", "0b", "0c", "0f 0000 0009 02 ff01",
    "10 0000 0002 04 1234 5678", "11", "14 07 06 0001 0000 0001",
    "14 0e 06 0001 0001 0001 06 0003 0009 0002",
    "15 09 06 0001 0000 0001 1234",
    "15 12 06 0001 0007 0001 06af 06 0002 0000 0001 04be",
    "16 0004 00f2 0025", "17 0003 0002 0004 0001 02 beef", "18 0001",
    "2b 0e 01 00", "2b 0e 03 00", "2b 0e 04 01", "2b 0d 00 00", "64 0102",
    # what has broken others: counts that do not fit, cut requests, wraps
    "10 0001 0002 ff 000a", "0f 0000 07b0 01 ff", "17 0000 0001", "17 00",
    "17 0003 0001 ffff 0002 04 beef beef", "03 ffff 0002", "14 fc 06", "83",
    "10 0001 0001 04 000a 0102", "10 0001 0002 03 000a 01",
    "0f 0000 0008 02 ffff", "17 0003 0001 0004 0001 04 beef beef",
    "14 0e 06 0001 0000 0064 06 0001 0000 001a",
    "15 0b 06 0001 0007 0001 06af 04be", "0f 0000 0009 01 ff",
    # the longest, and one byte more
    "10 0000 007b f6" + "5a" * 246, "17 0000 007d 0000 0079 f2" + "5a" * 242,
    "0f 0000 07b0 f6" + "5a" * 246, "64" * 253, "64" * 254,
]
REPLIES = [
    "01 01 01", "03 02 1234", "03 06 0102 0304 0506", "83 02", "05 0001 ff00",
    "07 6d", "08 0000 a537", "0b 0000 0108",
    "0c 08 0000 0108 0121 2000", "10 0000 0002", "11 05 41424344 ff",
    "14 06 05 06 1002 1003", "15 09 06 0001 0000 0001 1234",
    "16 0004 00f2 0025", "17 02 1234", "18 0006 0002 0102 0304",
    "2b 0e 01 81 00 00 02 00 01 41 01 02 4243",
]


def crc(data):
    value = 0xffff
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xa001 if value & 1 else 0)
    return struct.pack("<H", value)


def mbap(unit, pdu):
    return struct.pack(">HHHB", 1, 0, len(pdu) + 1, unit) + pdu


def rtu(unit, pdu):
    adu = bytes([unit]) + pdu
    return adu + crc(adu)


def ascii_(unit, pdu):
    adu = bytes([unit]) + pdu
    adu += bytes([-sum(adu) & 0xff])
    return b":" + adu.hex().upper().encode() + b"\r\n"


def streams(seal):
    pdus = [bytes.fromhex(r) for r in REQUESTS + REPLIES]
    for pdu in pdus:
        yield seal(0x11, pdu)
        yield seal(0x11, pdu)[:-1] + b"\xff" + seal(5, pdu)
    yield b"".join(seal(0x11, p) for p in pdus)
    for i in range(0, len(pdus), 7):
        yield b"\xff\x00".join(seal(i, p) for p in pdus[i:i + 7])
    # a frame inside the data of another
    inner = seal(0x11, bytes.fromhex("060001aaaa"))
    inner += bytes(len(inner) % 2)
    yield seal(0x11, struct.pack(">BHHB", 16, 0, len(inner) // 2, len(inner))
               + inner)
    yield seal(5, bytes([3, len(inner)]) + inner)


def frames(seal):
    for stream in streams(seal):
        yield b"\x00\x00" + stream
        yield b"\x00\x07" + stream


def bus():
    """What fuzz_bus reads: strict, then records of what happens, length and
    bytes; whole, with silences, and cut in two by a silence."""
    def put(what, data):
        return bytes([what, min(len(data), 255)]) + data[:255]
    for stream in streams(rtu):
        for strict in b"\0", b"\1":
            yield strict + put(1, stream)
            for at in 1, 7, len(stream) // 2:
                yield strict + put(1, stream[:at]) + put(1, stream[at:])
        yield b"\0" + put(0, stream) + put(2, b"") + put(0, stream)
        yield b"\1" + put(0, stream[:3]) + put(3, b"") + put(1, stream[3:])
        yield b"\0" + b"".join(put(0, stream) for _ in range(9)) + put(4, b"")


def serve():
    """Records of fuzz_serve: flags, length, PDU."""
    records = []
    for text in REQUESTS:
        pdu = bytes.fromhex(text)
        if len(pdu) < 254:
            records.append(bytes([0, len(pdu)]) + pdu)
    yield from records
    yield b"".join(records)
    for flags in range(1, 8):
        yield b"".join(bytes([flags]) + r[1:] for r in records)


def client():
    """Inputs of fuzz_client: length of the request, request, reply."""
    for text in REQUESTS:
        pdu = bytes.fromhex(text)[:253]
        for reply in REPLIES:
            rsp = bytes.fromhex(reply)
            if rsp[0] & 0x7f == pdu[0]:
                yield bytes([len(pdu)]) + pdu + rsp


TLS = (b'"type":"tls","listen":"127.0.0.1:0","cert":["/dev/null"],'
       b'"key":"/dev/null","ca":"/dev/null"')
TRANSPORTS = (
    b'"type":"udp","listen":"[::1]:0","max_transactions":16',
    TLS + b',"client_cert":"request","password":"x","ocsp":[],"crl":'
          b'"/dev/null","ciphers":"NORMAL"',
    TLS + b',"client_cert":"none","password_file":"/dev/null"',
    b'"type":"serial","port":"/dev/null","baudrate":9600,"parity":"N",'
    b'"rs485":{"mode":"rts","rts_on_send":"low","delay_before_us":1,'
    b'"rx_during_tx":true},"local_echo":true,"t15":"count",'
    b'"turnaround_ms":1,"broadcast":true',
    b'"type":"serial","port":"/dev/null","framer":"ascii","bytesize":7,'
    b'"ascii_timeout_ms":50',
    b'"type":"serial","port":"socket://localhost:0","workers":2',
    b'"type":"x","plugins":"/dev/null","options":{"a":1,"b":0.5,"c":true}',
)


def role():
    """Roles as certificates have them."""
    for text in ("operator", "x", "r" * 64, "\u00e9\u0800\ud7ff\U0010ffff"):
        data = text.encode()
        for tag in (12, 19):
            yield bytes([tag, len(data)]) + data
        yield b"\x0c\x81" + bytes([len(data)]) + data
        yield b"\x0c" + bytes([len(data)]) + data[:-1]


def roles():
    """Files of roles, a NUL, and a request."""
    sample = open(os.path.join(CONF, "roles.json"), "rb").read()
    texts = (re.sub(rb"(?m)^\s*//.*\n", b"", sample), b'{"r":[{}]}',
             b'{"r":[{"fc":[3,4],"devices":["plc1"],"tables":["hr","co"],'
             b'"addr":[0,9]}]}', b'{"r":[{"addr":[5,99]},{"fc":[43]}],"":[]}')
    pdus = (b"\3\0\0\0\5", b"\6\0\x64\0\1", b"\x2b\x0e\1\0", b"\x16\0\5\0\0\0\0",
            b"\x17\0\1\0\1\0\2\0\1\2\0\0", b"\x14\7\6\0\1\0\0\0\2",
            b"\x15\x0b\6\0\1\0\0\0\2\0\1\0\2", b"\x18\7\xd0", b"\x10\0\x64\0\1\2\0\1")
    for text in texts:
        for pdu in pdus:
            yield text + b"\0" + pdu


def conf():
    """The samples, without what would open other files, and every type."""
    for text in TRANSPORTS:
        yield (b'{"devices":{"d":{}},"transports":{"t":{%s}}}' % text)
    for text in setup():
        yield text
        yield text.replace(b'"comm"', b'"device": "device", "comm"')
    for name in sorted(os.listdir(CONF)):
        if name.endswith(".json"):
            with open(os.path.join(CONF, name), "rb") as f:
                text = f.read()
            yield re.sub(rb'"include": \[.*?\],', b"", text, flags=re.S)
            # without comments more of it fits
            text = re.sub(rb"(?m)^\s*//.*\n", b"", text)
            text = re.sub(rb"(?m)^ +", b"", text)
            yield re.sub(rb'"include": \[.*?\],', b"", text, flags=re.S)


def http():
    """Heads of requests, as clients and as attackers write them."""
    host = "Host: localhost:8080\r\n"
    for first in ("GET / HTTP/1.1", "GET /a%20b/%2e%2e/c?x=1&y=%41+b HTTP/1.0",
                  "POST http://x:80/api/v1/rpc HTTP/1.1", "OPTIONS * HTTP/1.1",
                  "GET /../..//etc/passwd HTTP/1.1", "G", ""):
        for more in ("", host, host + "Content-Length: 17\r\n",
                     host + "Content-Length: 1\r\nContent-Length: 2\r\n",
                     host + "Transfer-Encoding: chunked\r\n",
                     host + " folded\r\nA : b\r\n",
                     host + "Expect: 100-continue\r\nConnection: a, close\r\n",
                     host + "A: b\n\n"):
            yield (first + "\r\n" + more + "\r\n").encode()
    yield b"/a%20b/%2e%2e/c?x=1&y=%41+b&&z"


def rpc():
    """A message of every method, alone, in a batch and with raw values."""
    where = {"table": "hr", "addr": 0}
    params = {
        "registers.read": {**where, "count": 2, "type": "float32",
                           "order": "cdab", "encoding": "json"},
        "registers.write": {**where, "values": [1, 18446744073709551615],
                            "type": "uint64"},
        "registers.transaction": {"ops": [
            {"op": "check", **where, "values": [0]},
            {"op": "write", **where, "values": ["ab"], "type": "string"},
            {"op": "mask", **where, "and": 255, "or": 1},
            {"op": "read", "table": "co", "addr": 0, "count": 8}]},
        "registers.describe": {"device": "plc", "table": "hr"},
        "registers.counts": {**where, "count": 3},
        "transports.stop": {"name": "tcp1", "drain_s": 1.5},
        "transports.start": ["tcp2"],
        "connections.close": {"transport": "tcp1"},
        "connections.list": {}, "devices.list": {}, "transports.list": {},
        "stats.get": {}, "trace.set": {"on": True},
        "trace.read": {"since": {"tcp1.0": 9}, "limit": 2, "newest": True,
                       "filter": "fc == 3 && peer == '::1'", "after": 1.5},
        "system.info": {}, "system.methods": {},
        "system.reload": {}, "system.shutdown": {},
    }
    calls = [{"jsonrpc": "2.0", "id": i, "method": m, "params": p}
             for i, (m, p) in enumerate(params.items())]
    for call in calls:
        yield json.dumps(call).encode()
    yield json.dumps(calls[:4]).encode()
    raw = {"jsonrpc": "2.0", "id": 1, "method": "registers.write",
           "params": {**where, "encoding": "u16le"}}
    yield json.dumps(raw).encode() + b"\xff\x01\x02\x03\x04"


def capture():
    """Captures: exported PDUs, UDP and TCP over IP, classic and pcapng."""
    def tag(what, value):
        return struct.pack(">HH", what, len(value)) + value
    def exported(name, src, dst, adu):
        return (tag(12, name) + tag(20, bytes(4)) + tag(21, bytes(4)) +
                tag(25, struct.pack(">I", src)) +
                tag(26, struct.pack(">I", dst)) + tag(0, b"") + adu)
    def ipv4(src, dst, udp, data):
        head = (struct.pack(">HHHH", src, dst, 8 + len(data), 0) if udp else
                struct.pack(">HHIIHHHH", src, dst, 1, 0, 0x5018, 9, 0, 0))
        return struct.pack(">BBHHHBBH8s", 0x45, 0, 20 + len(head) + len(data),
                           1, 0, 64, 17 if udp else 6, 0, bytes(8)
                           ) + head + data
    def pcap(link, packets):
        yield struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, link)
        for p in packets:
            yield struct.pack("<IIII", 1, 0, len(p), len(p)) + p
    def pcapng(link, packets):
        yield struct.pack("<IIIHHqI", 0x0a0d0d0a, 28, 0x1a2b3c4d, 1, 0, -1, 28)
        yield struct.pack("<IIHHII", 1, 20, link, 0, 0, 20)
        for p in packets:
            p += bytes(-len(p) % 4)
            yield struct.pack("<IIIIIII", 6, 32 + len(p), 0, 0, 0, len(p),
                              len(p)) + p + struct.pack("<I", 32 + len(p))
    ask, answer = (mbap(1, bytes.fromhex(x)) for x in ("0300000001", "0302beef"))
    for write in pcap, pcapng:
        yield b"".join(write(252, [exported(b"mbtcp\0\0\0", 9, 502, ask),
                                   exported(b"mbtcp\0\0\0", 502, 9, answer)]))
        for udp in True, False:
            both = [ipv4(9, 502, udp, ask), ipv4(502, 9, udp, answer)]
            yield b"".join(write(101, both))
            yield b"".join(write(1, [bytes(12) + b"\x08\0" + p for p in both]))


def expression():
    """Filters of traces."""
    for text in ("fc == 3 && unit == 1 || !(addr >= 0x10)",
                 "exception || value != 7 && us > 5000",
                 "peer == [::1]:502 && transport != 'tcp 1'",
                 'direction==out && name == "read_coils"'):
        yield text.encode()


def sim():
    """What is asked of the simulator's pages; a line for each answer."""
    for body in ({"submit": "Set", "register": 2, "value": 5,
                  "range_start": 0, "range_stop": 13},
                 {"submit": "Add", "range_start": "", "type": -1, "device":
                  "b", "action": "1", "writeable": "on"},
                 {"submit": "Simulate", "response_type": 0, "response_split":
                  "", "split_delay": 1, "response_cr": "on",
                  "response_cr_pct": "5", "response_delay": 2,
                  "response_clear_after": 3, "server": "t"},
                 {"submit": "Monitor", "function": 3, "range_start": 1,
                  "range_end": 9, "show_hex": 1, "show_decode": 1},
                 {"submit": "Clear", "refresh": "5", "level": "warn"}):
        for page in b"01234567":
            yield bytes([page]) + json.dumps(body).encode()
    yield b"4" + b"\n".join(json.dumps(line).encode() for line in (
        {}, [{"name": "d", "blocks": {"coils": 3}}],
        [{"table": "coils", "addr": 0, "count": 40, "type": "bits",
          "order": "abcd", "access": "rw", "action": {"name": "x", "a": [1]}
          }], {"values": [1] * 16}))


def address():
    for text in ("hr:0", "plc1/co:1+16", "hr:0x10+2:float32:cdab",
                 "holding_registers:1:declared", "di:65535:bits"):
        yield text.encode()


def setup():
    """Setup files of pymodbus's simulator, shared blocks and not."""
    kinds = "bits", "uint16", "uint32", "float32", "string"
    for shared in True, False:
        limits = {"minval": 1, "maxval": 2.5}
        yield json.dumps({"server_list": {"server": {
            "comm": "tcp", "framer": "socket", "host": "127.0.0.1", "port": 0,
            "identity": {"VendorName": "v"}}}, "device_list": {"device": {
                "setup": {
                    "co size": 10, "di size": 10, "ir size": 10, "hr size": 30,
                    "shared blocks": shared, "type exception": False,
                    "defaults": {"value": dict.fromkeys(kinds[:4], 1) | {
                        "string": "x"}, "action": dict.fromkeys(kinds)}},
                "invalid": [1], "write": [3, [4, 6]], "bits": [3],
                "uint16": [{"addr": [4, 5], "action": "random",
                            "parameters": limits}],
                "uint32": [{"addr": 9, "value": 617001}, [11, 13]],
                "float32": [{"addr": [6, 7], "value": 404.17}],
                "string": [{"addr": [16, 20], "value": "A_B"}],
                "repeat": [{"addr": [3, 9], "to": [21, 29]}]}}}).encode()


def csv():
    """Maps, as spreadsheets and people write them."""
    head = "table,addr,type,order,value,name,unit,scale,access,action"
    yield (head + "\nhr,100,float32,cdab,1.5,flow,m3/h,0.1,ro,\n"
           "ir,0+8,,,1 2 0x3 -4,,,,,\"increment(minval=0, maxval=99)\"\n"
           'hr,120+4,string,,"a ""b"", c",txt\nco,5,,,on\n').encode()
    yield ("\ufeff# a; comment\r\naddr;table;value;action\r\n"
           '7;holding_registers;"[1, 2,3]";"{""name"": ""uptime""}"\r\n;;;'
           ).encode()
    yield b"table\taddr\nhr\t65535\ndi\t1+2"


def snap():
    """Snapshots; the target sets lengths and checksums right."""
    def device(*blocks):
        body = b"".join(struct.pack("<IIII", t, a, n, len(v)) + v
                        for t, a, n, v in blocks)
        return struct.pack("<4sIQQ44sIII", b"DEVI", len(blocks), len(body), 7,
                           b"plc1", 0, 0, 0) + body
    one = device((2, 100, 2, b"abcd"), (0, 5, 9, b"ab"))
    for devices in ([], [one], [one, device((4, 65536, 1, b"xy"))]):
        yield struct.pack("<8sIIQQ44sI", b"HOLDSNAP", 1, len(devices), 0, 1,
                          b"plant", 0) + b"".join(devices)
        yield struct.pack("<8sIIQQ44sIQQQII", b"HOLDSNAP", 2, len(devices), 0,
                          1, b"plant", 0, 5, 1, 0, 0, 0) + b"".join(devices)


def series():
    """Times and values, as loggers and people write them."""
    yield b"time,value\n0,1.5\n1,-2\n2.5,3e3\n"
    yield b"# s,kW\r\n\r\n 100 , 1 ,x\r\n100.5,2\r\n"
    yield b"-5,1\n1e9,2"


def orders():
    """What children say, twelve bytes each: ready, and then each kind."""
    for who in range(6):
        for owes in (0, 0x20):
            for kind in range(1, 40):
                yield b"".join(
                    bytes([who | owes | passes, k, 1, place, 0, 1, 0, 9,
                           0x41, 12, 0, 0])
                    for k, passes, place in ((1, 0, 0), (kind, 0, 0),
                                             (kind, 0x40, 1), (2, 0, 3)))
    yield bytes([0x80, 128]) + bytes(10)


def hand():
    """What is handed over, and where bytes of what value are scribbled."""
    for given in (b"", bytes([0, 1, 2, 2, 0x43, 4, 5]), bytes([1, 0x81])):
        head = bytes([len(given)]) + given
        yield head
        for segment in range(5):
            for at in range(0, 4096, 128):
                for value in (0xff, 0x01, 0x7f):
                    yield head + bytes([segment, 0, at >> 8, at & 255, 60]
                                       + [value] * 7)
        for low in range(0, 256, 16):  # positions that are about to wrap
            yield (head + bytes([5, 0, 0, 0, 9]) + b"\xff" * 7
                   + bytes([5, 0, 0, 0, 0, low, 0xe0]) + b"\xff" * 5)


SEEDS = {
    "fuzz_address": address,
    "fuzz_http": http,
    "fuzz_conf": conf,
    "fuzz_csv": csv,
    "fuzz_roles": roles,
    "fuzz_role": role,
    "fuzz_frame_mbap": lambda: frames(mbap),
    "fuzz_frame_rtu": lambda: frames(rtu),
    "fuzz_frame_ascii": lambda: frames(ascii_),
    "fuzz_bus": bus,
    "fuzz_rpc": rpc,
    "fuzz_hand": hand,
    "fuzz_orders": orders,
    "fuzz_serve": serve,
    "fuzz_setup": setup,
    "fuzz_snap": snap,
    "fuzz_client": client,
    "fuzz_decode": client,
    "fuzz_filter": expression,
    "fuzz_replay": capture,
    "fuzz_series": series,
    "fuzz_sim": sim,
}


def main():
    name, where = sys.argv[1:]
    for i, seed in enumerate(SEEDS.get(name, list)()):
        with open(os.path.join(where, f"{i:04}"), "wb") as f:
            f.write(seed)


if __name__ == "__main__":
    main()
