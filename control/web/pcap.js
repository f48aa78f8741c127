// SPDX-License-Identifier: Apache-2.0
// Frames as a pcap file that Wireshark takes apart by itself: "exported PDUs"
// (link type 252), each with the name of the dissector that it is for. What is
// downloaded is exactly what is shown. Pure.

import { decode, bytesOf, framerOf } from "./decode.js";

const TAG = { dissector: 12, ip4src: 20, ip4dst: 21, ip6src: 22, ip6dst: 23, portType: 24, src: 25, dst: 26 };
const SERVER_PORT = 502; // the port by which Wireshark tells replies

function tag(type, bytes) {
  const pad = (4 - (bytes.length % 4)) % 4;
  const len = bytes.length + pad;
  return [type >> 8, type & 255, len >> 8, len & 255, ...bytes, ...Array(pad).fill(0)];
}

const u32 = (n) => [n >>> 24, (n >> 16) & 255, (n >> 8) & 255, n & 255];
const text = (s) => [...s].map((c) => c.charCodeAt(0));

function ip6(host) {
  const [a, b] = host.split("::");
  const head = a ? a.split(":") : [], tail = b ? b.split(":") : [];
  const words = [...head, ...Array(Math.max(0, 8 - head.length - tail.length)).fill("0"), ...tail];
  return words.flatMap((w) => { const n = parseInt(w, 16) || 0; return [n >> 8, n & 255]; });
}

function peerOf(f) {
  const m = /^(?:\[([0-9a-f:]+)\]|(\d+\.\d+\.\d+\.\d+)):(\d+)$/i.exec(f.peer || "");
  if (!m) return { v4: [127, 0, 0, 1], port: 1024 };
  return m[1] ? { v6: ip6(m[1]), port: Number(m[3]) } : { v4: m[2].split(".").map(Number), port: Number(m[3]) };
}

// The bytes of one record: tags, then the frame. What Wireshark has no
// dissector for gets a Modbus/TCP header.
function record(f) {
  const framer = framerOf(f), out = f.direction === "out";
  const peer = peerOf(f);
  let data = bytesOf(f.adu), name = "mbtcp";
  if (framer === "rtu") name = "mbrtu";
  else if (framer !== "socket") {
    const d = decode(f);
    const unit = d.unit == null ? f.unit || 0 : d.unit;
    data = [0, 0, 0, 0, (d.pdu.length + 1) >> 8, (d.pdu.length + 1) & 255, unit, ...d.pdu];
  }
  const [src, dst] = peer.v6 ? [TAG.ip6src, TAG.ip6dst] : [TAG.ip4src, TAG.ip4dst];
  const me = peer.v6 ? ip6("::1") : [127, 0, 0, 1], them = peer.v6 || peer.v4;
  return [
    ...tag(TAG.dissector, text(name)),
    ...tag(src, out ? me : them), ...tag(dst, out ? them : me),
    ...tag(TAG.portType, u32(f.type === "udp" ? 3 : 2)),
    ...tag(TAG.src, u32(out ? SERVER_PORT : peer.port)), ...tag(TAG.dst, u32(out ? peer.port : SERVER_PORT)),
    0, 0, 0, 0, ...data,
  ];
}

export function pcap(frames) {
  const records = frames.map(record);
  const size = 24 + records.reduce((n, r) => n + 16 + r.length, 0);
  const view = new DataView(new ArrayBuffer(size));
  const head = [[0xa1b2c3d4, 4], [2, 2], [4, 2], [0, 4], [0, 4], [65535, 4], [252, 4]];
  let at = 0;
  const put = (value, n) => {
    if (n === 4) view.setUint32(at, value);
    else view.setUint16(at, value);
    at += n;
  };
  for (const [value, n] of head) put(value, n);
  frames.forEach((f, i) => {
    const us = Math.round(f.at * 1e6);
    put(Math.floor(us / 1e6), 4);
    put(us % 1e6, 4);
    put(records[i].length, 4);
    put(records[i].length, 4);
    new Uint8Array(view.buffer, at).set(records[i]);
    at += records[i].length;
  });
  return new Uint8Array(view.buffer);
}
