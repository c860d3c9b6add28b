package org.pripro.splitkit.tail

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Test
import org.pripro.splitkit.Contract
import org.pripro.splitkit.bundle.TensorSpec
import org.pripro.splitkit.number
import org.pripro.splitkit.refused
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** Kotlin writes the bytes that Python wrote, and reads what Python answers. */
class WireTest {
    @Suppress("UNCHECKED_CAST")
    private val cases = Contract.parse("wire/cases.json") as Map<String, Any?>

    private fun each(list: String): List<Map<*, *>> = (cases.getValue(list) as List<*>).map { it as Map<*, *> }.also { check(it.isNotEmpty()) }

    private fun bytes(case: Map<*, *>, key: String) = File(Contract.folder, "wire/${case[key]}").readBytes()

    private fun floats(data: ByteArray) = FloatArray(data.size / 4).also { ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(it) }

    private fun headerLength(case: Map<*, *>): String? {
        val headers = (case["headers"] as Map<*, *>).mapKeys { (it.key as String).lowercase() }
        return headers[Wire.HEADER_LENGTH.lowercase()] as String?
    }

    private fun encode(case: Map<*, *>): WireRequest {
        val spec = spec(case["spec"] as Map<*, *>)
        val id = case["bundle_id"] as String?
        val values = bytes(case, "values")
        return if ((case["values"] as String).endsWith(".u8")) Wire.encodeCodes(values, spec, id) else Wire.encode(floats(values), spec, id)
    }

    @Test
    fun requestsAreThoseOfPython() {
        for (case in each("requests")) {
            val request = encode(case)
            assertArrayEquals(case["name"] as String, bytes(case, "body"), request.body)
            assertEquals(headerLength(case), request.headerLength.toString())
        }
    }

    @Test
    fun featuresThatCannotBeSentAreRefused() {
        for (case in each("refused_requests")) refused<TailFailed.BadFeatures>(case["name"] as String) { encode(case) }
    }

    private fun encodeCoded(case: Map<*, *>): WireRequest {
        val spec = TensorSpec("smashed", "float32", Contract.ints(case["coded_shape"]), layout = case["layout"] as String)
        val encoding = CodedEncoding(spec, Contract.coding(case["coding"]))
        val id = case["bundle_id"] as String?
        val values = bytes(case, "values")
        return if ((case["values"] as String).endsWith(".u8")) Wire.encodeCodes(values, encoding, id) else Wire.encode(floats(values), encoding, id)
    }

    @Test
    fun entropyCodedRequestsAreThoseOfPython() {
        val coded = Contract.parse("wire/coded.json") as Map<*, *>
        for (case in (coded["requests"] as List<*>).map { it as Map<*, *> }) {
            val request = encodeCoded(case)
            assertArrayEquals(case["name"] as String, bytes(case, "body"), request.body)
            assertEquals(headerLength(case), request.headerLength.toString())
        }
        for (case in (coded["refused_requests"] as List<*>).map { it as Map<*, *> }) {
            refused<TailFailed.BadFeatures>(case["name"] as String) { encodeCoded(case) }
        }
    }

    @Test
    fun answersAreRead() {
        for (case in each("responses")) {
            val logits = Wire.decode(headerLength(case), bytes(case, "body"))
            assertEquals((case["shape"] as List<*>).map { it.number().toInt() }, listOf(logits.items, logits.classes))
            assertArrayEquals(case["name"] as String, floats(bytes(case, "logits")), logits.values, 0f)
        }
    }

    @Test
    fun theCodesOfAHeadCrossAsTheyAre() {
        val spec = TensorSpec("smashed", "uint8", listOf(-1, 3, 256, 1), scale = listOf(0.04567, 0.0123, 3.3), zeroPoint = listOf(128, 0, 255))
        val all = ByteArray(3 * 256) { it.toByte() }
        val features = Wire.features(all, spec)
        assertEquals((200 - 128) * 0.04567f, features[200], 0f)
        assertArrayEquals(all, Wire.quantise(features, spec))
        val numbers = FloatArray(all.size) { (it and 0xff).toFloat() }
        assertArrayEquals(features, Wire.features(numbers, spec), 0f)
        for (wrong in listOf(-1f, 256f, 2.5f, Float.NaN)) {
            refused<IllegalArgumentException>("$wrong") { Wire.features(numbers.also { it[7] = wrong }, spec) }
        }
    }

    @Test
    fun whatIsNoAnswerIsRefused() {
        for (case in each("refused_responses")) {
            refused<TailFailed.BadAnswer>(case["name"] as String) { Wire.decode(headerLength(case), bytes(case, "body")) }
        }
    }

    private fun spec(raw: Map<*, *>) = TensorSpec(
        name = raw["name"] as String,
        dtype = raw["dtype"] as String,
        shape = (raw["shape"] as List<*>).map { it.number().toInt() },
        layout = raw["layout"] as String,
        scale = (raw["scale"] as List<*>?)?.map { it.number() },
        zeroPoint = (raw["zero_point"] as List<*>?)?.map { it.number().toInt() },
    )
}
