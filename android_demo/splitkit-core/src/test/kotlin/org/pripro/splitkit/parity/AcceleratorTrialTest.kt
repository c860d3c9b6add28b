package org.pripro.splitkit.parity

import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.pripro.splitkit.Contract
import org.pripro.splitkit.HeadFailed
import org.pripro.splitkit.bundle.Bundle
import org.pripro.splitkit.bundle.BundleId
import org.pripro.splitkit.bundle.Head
import org.pripro.splitkit.bundle.Json
import org.pripro.splitkit.bundle.TensorSpec
import org.pripro.splitkit.head.Accelerator
import org.pripro.splitkit.head.HeadOptions
import org.pripro.splitkit.head.HeadRunner
import org.pripro.splitkit.head.HeadRuntime
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.security.MessageDigest

/** Goldens decide which accelerator is offered: a wrong one is not, whatever its runtime says. */
class AcceleratorTrialTest {
    private val image = FloatArray(6) { it / 5f }
    private val wanted = FloatArray(6) { it - 2.5f }

    private fun safetensors(tensors: Map<String, FloatArray>): ByteArray {
        var at = 0
        val entries = tensors.entries.joinToString(",") { (name, values) ->
            "\"$name\":{\"dtype\":\"F32\",\"shape\":[2,${values.size / 2}],\"data_offsets\":[$at,${at + 4 * values.size}]}".also { at += 4 * values.size }
        }
        val header = "{\"__metadata__\":{\"rows\":\"[\\\"photo\\\",\\\"black\\\"]\"},$entries}".toByteArray()
        val out = ByteBuffer.allocate(8 + header.size + at).order(ByteOrder.LITTLE_ENDIAN)
        out.putLong(header.size.toLong()).put(header)
        tensors.values.forEach { values -> values.forEach { out.putFloat(it) } }
        return out.array()
    }

    /** The contract's minimal manifest with goldens of two rows: a photo, and a hard one that no head gets right here. */
    private val bundle: Bundle by lazy {
        val inputs = safetensors(mapOf("image" to image))
        val expected = safetensors(mapOf("smashed" to wanted))
        val ref = { path: String, data: ByteArray ->
            "{\"path\":\"$path\",\"sha256\":\"${BundleId.hex(MessageDigest.getInstance("SHA-256").digest(data))}\",\"bytes\":${data.size}}"
        }
        val golden = "{\"n\":2,\"seed\":0,\"inputs\":${ref("i", inputs)},\"expected\":${ref("e", expected)},\"tolerances\":{\"fp32\":0.0001,\"fp16\":50.0,\"int8\":20.0}}"
        val minimal = File(Contract.folder, "manifest/minimal.json").readText()
        check("\"golden\"" !in minimal || Regex("\"golden\": null").containsMatchIn(minimal))
        val text = minimal.replace(Regex(",?\\s*\"golden\": null"), "").trimEnd().removeSuffix("}") + ",\"golden\":$golden}"
        Json.parse(text)
        Bundle.open { path -> mapOf("manifest.json" to text.toByteArray(), "i" to inputs, "e" to expected).getValue(path).inputStream() }
    }

    private fun head(precision: String) = Head("tflite", precision, "cpu", "h", emptyList(), emptyList(), emptyList(), null, null, null, emptyMap())

    private class Fake(private val offered: Map<Accelerator, () -> FloatArray>) : HeadRuntime {
        override val name = "fake"
        override val rank = 0

        override fun accepts(head: Head) = true

        override fun accelerators() = offered.keys

        override fun open(head: Head, file: File, options: HeadOptions) = object : HeadRunner {
            override val ranOn = "the ${options.accelerator}"

            override fun run(image: FloatArray, eps: FloatArray?) = offered.getValue(options.accelerator)()

            override fun close() = Unit
        }
    }

    /** Three features in one code of 0.5 each: every one of them is up to a quarter away from eager torch's, and that is rounding. */
    @Test
    fun halfACodeIsRoundingAndAWholeOneIsAFault() {
        val codes = TensorSpec("smashed", "uint8", listOf(1, 3, 1, 1), scale = listOf(0.5), zeroPoint = listOf(128))
        val head = head("fp32").copy(outputs = listOf(codes))
        val trial = { found: FloatArray -> AcceleratorTrial(bundle, Fake(mapOf(Accelerator.CPU to { found }))) { File("h") }.run(head, 2).single() }
        assertTrue(trial(FloatArray(3) { first[it] + 0.2f }).passed)
        assertFalse(trial(FloatArray(3) { first[it] + if (it == 1) 0.5f else 0f }).passed)
        assertFalse(trial(FloatArray(3) { Float.NaN }).passed)
    }

    private fun trial(precision: String, vararg offered: Pair<Accelerator, () -> FloatArray>) =
        AcceleratorTrial(bundle, Fake(offered.toMap())) { File("h") }.run(head(precision), 2).associateBy { it.accelerator }

    private val first = wanted.copyOf(3)

    @Test
    fun whatIsRightPassesAndWhatIsWrongIsNotOffered() {
        val found = trial(
            "fp32",
            Accelerator.CPU to { first },
            Accelerator.GPU to { FloatArray(3) { first[it] * 1.0001f } },
            Accelerator.NPU to { FloatArray(3) { first[it] * 1.05f } },
        )
        assertEquals(listOf(true, true, false), Accelerator.values().map { found.getValue(it).passed })
        assertEquals("the GPU", found.getValue(Accelerator.GPU).ranOn)
        assertTrue("dB" in found.getValue(Accelerator.NPU).says)
    }

    @Test
    fun halfPrecisionIsNotEnoughForTheCpuOfAnFp32Head() {
        assertTrue(!trial("fp32", Accelerator.CPU to { FloatArray(3) { first[it] * 1.0001f } }).getValue(Accelerator.CPU).passed)
    }

    @Test
    fun notANumberAndNotRunningAreFailures() {
        val found = trial(
            "int8",
            Accelerator.CPU to { first },
            Accelerator.GPU to { FloatArray(3) { Float.NaN } },
            Accelerator.NPU to { throw HeadFailed("The driver has no such operator.") },
        )
        assertEquals(listOf(true, false, false), Accelerator.values().map { found.getValue(it).passed })
        assertEquals("The driver has no such operator.", found.getValue(Accelerator.NPU).says)
    }
}
