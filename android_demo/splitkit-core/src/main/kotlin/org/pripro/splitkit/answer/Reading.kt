package org.pripro.splitkit.answer

import org.pripro.splitkit.bundle.Manifest
import org.pripro.splitkit.tail.Answer
import java.util.Locale
import kotlin.math.sqrt

/**
 * What a person reads of an answer, by the bundle's task (toolkit/tasks has the same names). tests/contract/answers holds what
 * each of them makes of an answer in Python; SplitKit for iOS reads the same.
 */
public sealed class Reading {
    /** The first is the shortest summary; a screen shows all of them, one below the other. */
    public abstract val lines: List<String>

    /** classify: the most probable classes, best first. */
    public class Classes(public val ranked: List<Answer.Ranked>) : Reading() {
        override val lines: List<String> get() = ranked.map { text("%5.1f %%  %s", it.probability * 100, it.label) }
    }

    /** multilabel: every label whose value is above the task's threshold, largest first. */
    public class Labels(public val present: List<Present>, private val of: Int) : Reading() {
        public class Present(public val index: Int, public val label: String, public val value: Float)

        override val lines: List<String>
            get() = if (present.isEmpty()) listOf("none of $of labels") else present.map { text("%8.3f  %s", it.value, it.label) }
    }

    /** embed: a point of unit length; near points are the same. */
    public class Embedding(public val unit: FloatArray) : Reading() {
        /** The cosine with another photo's point, -1 to 1. */
        public fun cosine(other: Embedding): Double {
            require(unit.size == other.unit.size) { "points of ${unit.size} and ${other.unit.size} dimensions" }
            return unit.indices.sumOf { unit[it].toDouble() * other.unit[it] }
        }

        override val lines: List<String> get() = listOf("a point in ${unit.size} dimensions")
    }

    /** segment: the class of each pixel [height,width], row by row; of one map, 1 where the mask is. */
    public class Segments(public val height: Int, public val width: Int, public val classes: IntArray, private val labels: List<String>) : Reading() {
        public class Share(public val index: Int, public val label: String, public val share: Double)

        /** The classes that are there, the largest first. */
        public val shares: List<Share>
            get() = classes.toList().groupingBy { it }.eachCount().map { (index, count) -> Share(index, label(labels, index), count.toDouble() / classes.size) }
                .sortedWith(compareByDescending<Share> { it.share }.thenBy { it.index })

        override val lines: List<String> get() = shares.map { text("%5.1f %%  %s", it.share * 100, it.label) }
    }

    /** heatmaps: where each map has its peak. */
    public class Peaks(public val height: Int, public val width: Int, public val points: List<Point>) : Reading() {
        public class Point(public val index: Int, public val label: String, public val row: Int, public val column: Int, public val value: Float)

        override val lines: List<String>
            get() = points.map { text("row %d, column %d of %d x %d  %s", it.row, it.column, height, width, it.label) }
    }

    /** regress, any: the numbers themselves, output by output. */
    public class Numbers(public val outputs: List<Output>) : Reading() {
        override val lines: List<String>
            get() = outputs.map { output ->
                val few = output.values.size <= FEW
                val numbers = if (few) output.values.joinToString { text("%.4g", it) } else text("%.4g to %.4g", output.values.min(), output.values.max())
                "${output.spec.name} [${output.shape.joinToString()}]: $numbers"
            }
    }

    public companion object {
        private const val TOP = 5
        private const val FEW = 8

        /** Reads the network's outputs as the manifest's task says; a task that this version does not know gives [Numbers]. */
        public fun of(manifest: Manifest, outputs: List<Output>): Reading {
            val first = outputs.first()
            val labels = manifest.labels
            val isMap = first.shape.size == 3
            return when (manifest.task.name) {
                "classify" -> Classes(Answer.top(first.values, labels, TOP))
                "multilabel" -> present(first, labels, threshold(manifest))
                "embed" -> Embedding(unit(first.values))
                "segment" -> if (isMap) segments(first, labels, threshold(manifest)) else Numbers(outputs)
                "heatmaps" -> if (isMap) peaks(first, labels) else Numbers(outputs)
                else -> Numbers(outputs)
            }
        }

        private fun threshold(manifest: Manifest): Double = manifest.task.settings["threshold"] ?: 0.0

        private fun present(output: Output, labels: List<String>, threshold: Double): Labels {
            val found = output.values.indices.filter { output.values[it] > threshold }.sortedWith(compareByDescending<Int> { output.values[it] }.thenBy { it })
            return Labels(found.map { Labels.Present(it, label(labels, it), output.values[it]) }, output.values.size)
        }

        private fun unit(values: FloatArray): FloatArray {
            val length = maxOf(sqrt(values.sumOf { it.toDouble() * it }), 1e-12)
            return FloatArray(values.size) { (values[it] / length).toFloat() }
        }

        private fun segments(output: Output, labels: List<String>, threshold: Double): Segments {
            val (maps, height, width) = output.shape
            val size = height * width
            val classes = IntArray(size) { pixel ->
                if (maps == 1) (if (output.values[pixel] > threshold) 1 else 0) else (0 until maps).maxByOrNull { output.values[it * size + pixel] } ?: 0
            }
            return Segments(height, width, classes, labels)
        }

        private fun peaks(output: Output, labels: List<String>): Peaks {
            val (maps, height, width) = output.shape
            val size = height * width
            return Peaks(
                height,
                width,
                List(maps) { map ->
                    val at = (0 until size).maxByOrNull { output.values[map * size + it] } ?: 0
                    Peaks.Point(map, label(labels, map), at / width, at % width, output.values[map * size + at])
                },
            )
        }

        private fun label(labels: List<String>, index: Int) = labels.getOrElse(index) { "class $it" }

        private fun text(format: String, vararg values: Any) = String.format(Locale.ROOT, format, *values)
    }
}
