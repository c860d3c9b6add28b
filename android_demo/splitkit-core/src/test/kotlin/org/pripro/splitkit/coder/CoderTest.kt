package org.pripro.splitkit.coder

import org.junit.Assert.assertArrayEquals
import org.junit.Test
import org.pripro.splitkit.BundleRefused
import org.pripro.splitkit.Contract
import org.pripro.splitkit.bundle.Coding
import org.pripro.splitkit.number
import org.pripro.splitkit.refused

/** rans-1, byte for byte: tests/contract/coder. */
class CoderTest {
    @Suppress("UNCHECKED_CAST")
    private val cases = Contract.parse("coder/cases.json") as Map<String, Any?>

    private fun each(list: String) = (cases.getValue(list) as List<*>).map { it as Map<*, *> }.also { check(it.isNotEmpty()) }

    private fun coder(case: Map<*, *>): RansCoder {
        val shape = Contract.ints(case["shape"])
        val channelLast = case["layout"] != "NCHW"
        val channels = if (channelLast) shape.last() else shape.first()
        return RansCoder(Contract.coding(case["coding"]), shape.fold(1, Int::times) / channels, channelLast)
    }

    @Test
    fun messagesAreThoseOfPython() {
        for (case in each("messages")) {
            val message = Contract.hex(case["message"])
            assertArrayEquals(case["name"] as String, message, coder(case).encode(Contract.hex(case["codes"])))
            assertArrayEquals(case["name"] as String, Contract.hex(case["decoded"]), coder(case).decode(message))
        }
    }

    @Test
    fun whatIsNoMessageIsRefused() {
        for (case in each("refused")) refused<NotAMessage>(case["name"] as String) { coder(case).decode(Contract.hex(case["message"])) }
    }

    @Test
    fun whatIsNoCodingIsRefused() {
        for (case in each("refused_codings")) refused<BundleRefused>(case["name"] as String) { RansCoder.check(Contract.coding(case["coding"])) }
    }

    @Test
    fun aPadThatNoMessageFitsIsRefused() {
        val case = each("messages").first { it["name"] == "real-size" }
        val coding = Contract.coding(case["coding"])
        refused<BundleRefused>("3 bytes for 768 codes") { RansCoder(coding.copy(padBytes = 3), 64, channelLast = false) }
    }
}
