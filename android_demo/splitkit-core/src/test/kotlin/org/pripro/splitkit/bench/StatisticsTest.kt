package org.pripro.splitkit.bench

import org.junit.Assert.assertEquals
import org.junit.Test
import org.pripro.splitkit.Contract
import org.pripro.splitkit.number

class StatisticsTest {
    @Test
    fun figuresAreNumpys() {
        for (row in Contract.rows("percentiles.json")) {
            val got = Statistics.of((row["values"] as List<*>).map { it.number() })
            val pairs = listOf("mean" to got.mean, "std" to got.std, "min" to got.min, "p50" to got.p50, "p90" to got.p90, "p99" to got.p99)
            for ((name, value) in pairs) {
                val expected = row[name].number()
                assertEquals("$name of ${got.n}", expected, value, 1e-12 * maxOf(1.0, Math.abs(expected)))
            }
        }
    }
}
