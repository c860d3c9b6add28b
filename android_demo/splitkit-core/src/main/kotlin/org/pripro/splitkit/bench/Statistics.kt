package org.pripro.splitkit.bench

import kotlin.math.floor
import kotlin.math.sqrt

/** What a row of a latency report says about its runs. */
public class Statistics(public val n: Int, public val mean: Double, public val std: Double, public val min: Double, public val p50: Double, public val p90: Double, public val p99: Double) {
    public companion object {
        /** @throws IllegalArgumentException without a value. */
        public fun of(values: List<Double>): Statistics {
            require(values.isNotEmpty()) { "no run was finished" }
            val sorted = values.sorted()
            val mean = values.sum() / values.size
            val variance = values.sumOf { (it - mean) * (it - mean) } / values.size
            return Statistics(
                n = values.size,
                mean = mean,
                std = sqrt(variance),
                min = sorted.first(),
                p50 = percentile(sorted, 50.0),
                p90 = percentile(sorted, 90.0),
                p99 = percentile(sorted, 99.0),
            )
        }

        /**
         * numpy's default definition ("linear"): the value at rank (n - 1) * q / 100, between neighbours in proportion.
         *
         * @param sorted ascending, not empty.
         */
        public fun percentile(sorted: List<Double>, q: Double): Double {
            val rank = (sorted.size - 1) * (q / 100)
            val below = floor(rank).toInt().coerceIn(0, sorted.size - 1)
            val above = (below + 1).coerceAtMost(sorted.size - 1)
            val share = rank - below
            val step = sorted[above] - sorted[below]
            // from the nearer end, as numpy does, so that the last digit agrees
            return if (share < 0.5) sorted[below] + step * share else sorted[above] - step * (1 - share)
        }
    }
}
