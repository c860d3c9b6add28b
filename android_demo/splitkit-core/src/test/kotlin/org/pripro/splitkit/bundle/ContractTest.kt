package org.pripro.splitkit.bundle

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.pripro.splitkit.BundleRefused
import org.pripro.splitkit.Contract
import org.pripro.splitkit.number
import org.pripro.splitkit.refused

/** Kotlin's verdict on every fixture is Python's. */
class ContractTest {
    @Test
    fun everyManifestGetsItsVerdict() {
        for (entry in Contract.of("manifest")) {
            if (entry.accept) {
                assertEquals(entry.file, entry.bundleId, ManifestReader.read(entry.bytes).bundleId)
            } else {
                val message = refused<BundleRefused>(entry.file) { ManifestReader.read(entry.bytes) }
                for (word in entry.mentions) assertTrue("${entry.file}: \"$message\" does not mention $word", word in message)
            }
        }
    }

    @Test
    fun theFullManifestArrivesWhole() {
        val manifest = ManifestReader.read(Contract.of("manifest").first { it.file.endsWith("/full.json") }.bytes)
        assertEquals(listOf("cat", "café", "a \"quoted\\one\"", "tab\tand\u007f/slash", "smile \uD83D\uDE00"), manifest.labels)
        assertEquals(listOf(0.00001, 0.1), manifest.protection?.wireUint8?.single()?.scale)
        assertEquals(listOf("executorch fp32 xnnpack", "coreml fp16 all"), manifest.heads.map { it.title })
        assertEquals("/v2/models/tail/infer", manifest.tail?.route)
        assertEquals(mapOf("grid" to 14.0, "note" to "tuned", "max_drop" to null), manifest.protection?.settings)
    }

    @Test
    fun numbersAreSpelledAsPythonDoes() {
        for (row in Contract.rows("numbers.json")) {
            val value = (row["value"] as String).toDouble()
            assertEquals(row["report"], CanonicalJson.number(value))
            assertEquals(row["id"], BundleId.repr(value))
        }
    }

    @Test
    fun goldenTensorsGetTheirVerdict() {
        for (entry in Contract.of("safetensors")) {
            if (!entry.accept) {
                val message = refused<BundleRefused>(entry.file) { Safetensors.read(entry.file, entry.bytes) }
                for (word in entry.mentions) assertTrue("${entry.file}: \"$message\" does not mention $word", word in message)
                continue
            }
            val found = Safetensors.read(entry.file, entry.bytes)
            for (tensor in entry.tensors.orEmpty().map { it as Map<*, *> }) {
                val one = found.getValue(tensor["name"] as String)
                val values = (tensor["values"] as List<*>).map { it.number() }
                assertEquals((tensor["shape"] as List<*>).map { it.number().toInt() }, one.shape)
                if (one.dtype == "I64") {
                    assertArrayEquals(values.map { it.toLong() }.toLongArray(), one.longs())
                } else {
                    val rows = (0 until one.shape[0]).flatMap { one.row(it).toList() }
                    assertEquals(values.map { it.toFloat() }, rows)
                }
            }
        }
    }

    @Test
    fun whatIsNotJsonIsRefused() {
        val numbers = listOf("01", "1.", ".5", "+1", "NaN", "1 2")
        val objects = listOf("{", "[1,]", "{\"a\":1,}", "{'a':1}", "{\"a\":1,\"a\":2}", "[".repeat(100))
        val broken = numbers + objects + listOf("", "tru", "\"\u0001\"", "\"\\x\"")
        for (text in broken) refused<JsonException>(text) { Json.parse(text) }
        assertEquals(listOf(JsonNumber("-1.5e+3"), true, null, mapOf("a" to "\u00e9\n")), Json.parse(" [ -1.5e+3 , true,null,{\"a\":\"\\u00e9\\n\"} ] "))
    }
}
