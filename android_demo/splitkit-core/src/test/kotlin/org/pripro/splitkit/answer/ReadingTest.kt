package org.pripro.splitkit.answer

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.pripro.splitkit.Contract
import org.pripro.splitkit.bundle.ManifestReader
import org.pripro.splitkit.bundle.TensorSpec
import org.pripro.splitkit.number
import org.pripro.splitkit.refused
import org.pripro.splitkit.tail.TailFailed
import java.io.File

/** tests/contract/answers: what toolkit/tasks makes of an answer in Python. */
class ReadingTest {
    private val some = ManifestReader.read(File(Contract.folder, "manifest/full.json").readBytes())
    private val cases = Contract.rows("answers/cases.json")

    private fun floats(raw: Any?) = (raw as List<*>).map { it.number().toFloat() }.toFloatArray()

    private fun outputs(case: Map<*, *>): List<Output> {
        val specs = (case["outputs"] as List<*>).map { it as Map<*, *> }.map { TensorSpec(it["name"] as String, "float32", listOf(-1) + Contract.ints(it["shape"])) }
        return Output.apart(floats(case["answer"]), specs)
    }

    private fun reading(case: Map<*, *>): Reading {
        val settings = (case["settings"] as Map<*, *>).entries.associate { it.key as String to it.value.number() }
        val labels = (case["labels"] as List<*>).map { it as String }
        return Reading.of(some.copy(labels = labels, task = some.task.copy(name = case["task"] as String, settings = settings)), outputs(case))
    }

    @Test
    fun everyTaskReadsWhatPythonReads() {
        for (case in cases) {
            val expected = case["expected"] as Map<*, *>
            val what = "${case["task"]} ${case["settings"]}"
            val reading = reading(case)
            assertTrue(what, reading.lines.isNotEmpty())
            when (reading) {
                is Reading.Classes -> {
                    assertEquals(what, Contract.ints(expected["top"]), reading.ranked.map { it.index })
                    assertArrayEquals(what, floats(expected["probabilities"]), reading.ranked.map { it.probability.toFloat() }.toFloatArray(), 1e-6f)
                }
                is Reading.Labels -> assertEquals(what, Contract.ints(expected["present"]), reading.present.map { it.index })
                is Reading.Embedding -> assertArrayEquals(what, floats(expected["unit"]), reading.unit, 1e-6f)
                is Reading.Segments -> {
                    assertEquals(what, Contract.ints(expected["classes"]), reading.classes.toList())
                    assertEquals(what, Contract.ints(expected["size"]), listOf(reading.height, reading.width))
                    assertEquals(1.0, reading.shares.sumOf { it.share }, 1e-9)
                }
                is Reading.Peaks -> assertEquals(what, (expected["peaks"] as List<*>).map(Contract::ints), reading.points.map { listOf(it.row, it.column) })
                is Reading.Numbers -> {
                    val wanted = (expected["numbers"] as List<*>).map { floats(it).toList() }
                    assertEquals(what, wanted, reading.outputs.map { it.values.toList() })
                }
            }
        }
        assertEquals(setOf("classify", "multilabel", "embed", "segment", "heatmaps", "regress", "any"), cases.map { it["task"] }.toSet())
    }

    @Test
    fun anAnswerOfAnotherSizeIsRefused() {
        val specs = listOf(TensorSpec("a", "float32", listOf(-1, 2)), TensorSpec("b", "float32", listOf(-1, 3)))
        assertEquals(listOf(listOf(1f, 2f), listOf(3f, 4f, 5f)), Output.apart(floatArrayOf(1f, 2f, 3f, 4f, 5f), specs).map { it.values.toList() })
        assertTrue("4 values" in refused<TailFailed.BadAnswer>("too few") { Output.apart(FloatArray(4), specs) })
    }

    @Test
    fun linesSayWhatAPersonWants() {
        val segment = Reading.Segments(1, 4, intArrayOf(2, 2, 0, 2), listOf("ground", "plant", "sky"))
        assertEquals(listOf(" 75.0 %  sky", " 25.0 %  ground"), segment.lines)
        val embed = Reading.Embedding(floatArrayOf(0.6f, 0.8f))
        assertEquals(0.96, embed.cosine(Reading.Embedding(floatArrayOf(0.8f, 0.6f))), 1e-6)
    }

    @Test
    fun aMaskHasOneColourForEachClass() {
        // the first colours of PASCAL VOC
        assertEquals(listOf(0x000000, 0x800000, 0x008000, 0x808000, 0x000080), (0..4).map { MaskPicture.colour(it) and 0xffffff })
        assertEquals(256, (0..255).map(MaskPicture::colour).toSet().size)
    }
}
