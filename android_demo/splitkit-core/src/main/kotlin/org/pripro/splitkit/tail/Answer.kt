package org.pripro.splitkit.tail

import kotlin.math.exp

/** What a person reads of the logits. */
public object Answer {
    /** One class with its probability in [0, 1]. */
    public data class Ranked(val index: Int, val label: String, val probability: Double)

    /** Probabilities of the logits; the largest is subtracted first, so that exp cannot overflow. */
    public fun softmax(logits: FloatArray): DoubleArray {
        val top = logits.maxOrNull()?.toDouble() ?: return DoubleArray(0)
        val powers = DoubleArray(logits.size) { exp(logits[it] - top) }
        val sum = powers.sum()
        return DoubleArray(logits.size) { powers[it] / sum }
    }

    /** The most probable classes, best first; ties go to the lower index, as numpy's argmax has it. */
    public fun top(logits: FloatArray, labels: List<String>, count: Int): List<Ranked> {
        val probability = softmax(logits)
        return probability.indices.sortedWith(compareByDescending<Int> { probability[it] }.thenBy { it })
            .take(count)
            .map { Ranked(it, labels.getOrElse(it) { index -> "class $index" }, probability[it]) }
    }
}
