package org.pripro.splitkit.noise

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Test
import org.pripro.splitkit.Contract
import org.pripro.splitkit.bundle.BundleId
import org.pripro.splitkit.number
import org.pripro.splitkit.tail.Wire
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.security.MessageDigest

/** pripro-eps-1, bit for bit: tests/contract/noise. */
class MemoisedTest {
    @Suppress("UNCHECKED_CAST")
    private val cases = Contract.parse("noise/cases.json") as Map<String, Any?>

    private fun each(list: String) = (cases.getValue(list) as List<*>).map { it as Map<*, *> }.also { check(it.isNotEmpty()) }

    private fun hex(value: Double) = "%016x".format(value.toRawBits())

    private fun sha256(bytes: ByteArray) = BundleId.hex(MessageDigest.getInstance("SHA-256").digest(bytes))

    private fun littleEndian(values: LongArray): ByteArray =
        ByteBuffer.allocate(8 * values.size).order(ByteOrder.LITTLE_ENDIAN).also { it.asLongBuffer().put(values) }.array()

    @Test
    fun theLogarithmAndTheLayersAreThoseOfPython() {
        for (case in each("logarithms")) {
            val x = Double.fromBits(java.lang.Long.parseUnsignedLong(case["x"] as String, 16))
            assertEquals("ln $x", case["ln"], hex(Ziggurat.ln(x)))
        }
        val tables = cases.getValue("tables") as Map<*, *>
        for ((name, found) in mapOf("edge" to Ziggurat.EDGE, "density" to Ziggurat.DENSITY)) {
            for ((index, value) in tables[name] as Map<*, *>) assertEquals("$name $index", value, hex(found[(index as String).toInt()]))
            assertEquals(tables["${name}_sha256"], sha256(littleEndian(LongArray(found.size) { found[it].toRawBits() })))
        }
    }

    @Test
    fun theKeyStreamIsThatOfRfc8439() {
        for (case in each("key_streams")) {
            val stream = KeyStream().apply { rekey(Contract.hex(case["key"]), case["tensor"].number().toInt()) }
            val words = LongArray(case["count"].number().toInt()) { stream.next() }
            assertEquals(case["words"], words.take(10).map { "%016x".format(it) })
            assertEquals(case["sha256"], sha256(littleEndian(words)))
        }
    }

    @Test
    fun theNumbersAreThoseOfPython() {
        for (case in each("normals")) {
            val stream = KeyStream().apply { rekey(Contract.hex(case["key"]), case["tensor"].number().toInt()) }
            check(case, FloatArray(case["count"].number().toInt()).also { numbers -> Ziggurat(stream).let { for (i in numbers.indices) numbers[i] = it.next() } })
        }
    }

    @Test
    fun aPhotosNoiseIsThatOfPython() {
        for (case in each("photos")) {
            val bytes = Contract.hex(case["image"])
            val image = FloatArray(bytes.size / 4).also { ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(it) }
            assertArrayEquals(bytes, Wire.littleEndian(image))
            val keys = NoiseKeys.memoised(DeviceSecret.of(Contract.hex(case["secret"])), case["bundle_id"] as String)
            assertEquals(case["key"], BundleId.hex(keys.key(image)))
            (case["eps"] as List<*>).map { it as Map<*, *> }.forEachIndexed { tensor, eps ->
                val stream = KeyStream().apply { rekey(keys.key(image), tensor) }
                val normal = Ziggurat(stream)
                check(eps, FloatArray(eps["count"].number().toInt()) { normal.next() })
            }
            val first = (case["eps"] as List<*>).first() as Map<*, *>
            check(first, EpsSource(first["count"].number().toInt(), keys).draw(image))
        }
    }

    @Test
    fun anotherPhotoDeviceOrBundleIsOtherNoise() {
        val secret = DeviceSecret.of(ByteArray(32) { 1 })
        val image = FloatArray(12) { it.toFloat() }
        val id = "ab".repeat(32)
        val noise = EpsSource(100, NoiseKeys.memoised(secret, id)).draw(image)
        assertArrayEquals(noise, EpsSource(100, NoiseKeys.memoised(secret, id)).draw(image), 0f)
        val others = listOf(
            EpsSource(100, NoiseKeys.memoised(secret, id)).draw(FloatArray(12)),
            EpsSource(100, NoiseKeys.memoised(DeviceSecret.of(ByteArray(32) { 2 }), id)).draw(image),
            EpsSource(100, NoiseKeys.memoised(secret, "ac".repeat(32))).draw(image),
            EpsSource(100).draw(image),
        )
        for (other in others) assertFalse(noise.contentEquals(other))
    }

    private fun check(case: Map<*, *>, found: FloatArray) {
        val first = case["first"] as List<*>
        assertEquals(first, found.take(first.size).map { "%08x".format(it.toRawBits()) })
        assertEquals(case["sha256"], sha256(Wire.littleEndian(found)))
    }
}
