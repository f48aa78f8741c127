// SPDX-License-Identifier: Apache-2.0
//
// modbus-serial, the client that most Node programs use: every function that
// it offers, against the device that sys_clients.py configures. Prints one
// line for each requirement; the sum is left to sys_clients.py.
//
//	node serial.js PORT		(NODE_PATH says where modbus-serial is)
"use strict";

const assert = require("node:assert");
const ModbusRTU = require("modbus-serial");

let failed = 0;

async function check(title, run) {
	try {
		await run();
		console.log("ok " + title);
	} catch (e) {
		failed++;
		console.log("FAILED " + title);
		console.log("    " + String(e.stack).replace(/\n/g, "\n    "));
	}
}

async function refused(code, promise) {
	await assert.rejects(promise, (e) => {
		assert.strictEqual(e.modbusCode, code);
		return true;
	});
}

async function main(port) {
	const m = new ModbusRTU();
	await m.connectTCP("127.0.0.1", { port });
	m.setID(1);
	m.setTimeout(5000);

	await check("coils are written with FC 15 and 5, read with FC 1", async () => {
		const bits = Array.from({ length: 40 }, (_, i) => i % 3 === 0);
		await m.writeCoils(300, bits);
		await m.writeCoil(301, true);
		bits[1] = true;
		const got = (await m.readCoils(300, 40)).data;
		assert.deepStrictEqual(got.slice(0, 40), bits);
	});
	await check("discrete inputs are read with FC 2", async () => {
		const got = (await m.readDiscreteInputs(0, 4)).data;
		assert.deepStrictEqual(got.slice(0, 4), [true, false, true, false]);
	});
	await check("registers are written with FC 16 and 6, read with FC 3", async () => {
		const regs = Array.from({ length: 123 }, (_, i) => i * 500 + 1);
		await m.writeRegisters(400, regs);
		await m.writeRegister(401, 65535);
		regs[1] = 65535;
		const got = (await m.readHoldingRegisters(400, 123)).data;
		assert.deepStrictEqual(got, regs);
	});
	await check("input registers are read with FC 4", async () => {
		const got = (await m.readInputRegisters(0, 8)).data;
		assert.deepStrictEqual(got, Array(8).fill(7));
	});
	await check("FC 17 reports an identity, and at its end that the unit runs", async () => {
		const got = await new Promise((resolve, reject) =>
			m.writeFC17(1, 0, 0, (e, d) => e ? reject(e) : resolve(d)));
		// it takes the first byte alone for the identity
		const text = String.fromCharCode(got.serverId);
		assert.strictEqual(text, "A");
		assert.strictEqual(got.additionalData.at(-1), 0xff);
	});
	await check("FC 20 reads a hundred file records", async () => {
		const got = await m.readFileRecords(2, 0);
		assert.strictEqual(got.length, 202);
		assert.deepStrictEqual(got.data.slice(0, 200), Array(200).fill(0));
	});
	await check("FC 22 masks a register", async () => {
		await m.writeRegister(410, 0x12);
		await m.maskWriteRegister(410, 0xf2, 0x25);
		const got = (await m.readHoldingRegisters(410, 1)).data;
		assert.deepStrictEqual(got, [0x17]);
	});
	await check("FC 23 writes and reads in one step", async () => {
		const got = (await m.readWriteRegisters(950, 3, 951, 1, [77])).data;
		assert.deepStrictEqual(got, [0, 77, 0]);
	});
	await check("FC 43/14 gives all of the identity", async () => {
		const got = await m.readDeviceIdentification(3, 0);
		assert.strictEqual(got.data[0], "Acme");
		assert.strictEqual(got.data[1], "A1");
		assert.strictEqual(got.data[2], "1.0");
		assert.strictEqual(got.data[128], "private");
	});
	await check("an address that is not there is answered 02", async () => {
		await refused(2, m.readHoldingRegisters(5000, 1));
	});
	await check("a write to a read-only range is answered 02", async () => {
		await refused(2, m.writeRegister(1000, 1));
	});
	await check("an unknown function is answered 01", async () => {
		await refused(1, m.customFunction(101, [1, 2]));
	});
	await check("a unit that is not there is answered 0B", async () => {
		m.setID(9);
		await refused(11, m.readHoldingRegisters(0, 1));
		m.setID(1);
	});
	await check("many requests at once on one connection are all answered", async () => {
		const got = await Promise.all(Array.from({ length: 50 },
			() => m.readHoldingRegisters(400, 5)));
		for (const one of got)
			assert.deepStrictEqual(one.data, [1, 65535, 1001, 1501, 2001]);
	});
	await new Promise((resolve) => m.close(resolve));
	process.exitCode = failed ? 1 : 0;
}

main(Number(process.argv[2])).catch((e) => {
	console.log("FAILED " + e.stack);
	process.exitCode = 1;
});
