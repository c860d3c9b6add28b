package org.pripro.splitkit.noise

import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Test
import kotlin.math.abs
import kotlin.math.exp
import kotlin.math.ln
import kotlin.math.sqrt

/** The chance that a correct generator fails is below 1e-9 in each test: a failure means a fault. */
class NoiseTest {
    private val draws = 1_000_000
    private val image = FloatArray(3)
    private val sample = EpsSource(draws).draw(image)

    @Test
    fun meanAndVarianceAreThoseOfTheNormalDistribution() {
        val mean = sample.sumOf { it.toDouble() } / draws
        val variance = sample.sumOf { it.toDouble() * it } / draws
        val kurtosis = sample.sumOf { val square = it.toDouble() * it; square * square } / draws
        assertEquals(0.0, mean, 6.5 / sqrt(draws.toDouble()))
        assertEquals(1.0, variance, 6.5 * sqrt(2.0 / draws))
        assertEquals(3.0, kurtosis, 6.5 * sqrt(96.0 / draws))
    }

    @Test
    fun kolmogorovSmirnovFindsNoDifference() {
        val sorted = sample.sortedArray()
        val distance = sorted.indices.maxOf { i ->
            val cdf = 1 - upperTail(sorted[i].toDouble())
            maxOf(abs(cdf - i.toDouble() / draws), abs(cdf - (i + 1.0) / draws))
        }
        assertTrue("D = $distance", distance * sqrt(draws.toDouble()) < KS_LIMIT)
    }

    @Test
    fun neighboursAreIndependent() {
        for (lag in listOf(1, 2, 3, 255, 256)) {
            val product = (lag until draws).sumOf { sample[it].toDouble() * sample[it - lag] } / (draws - lag)
            assertEquals("lag $lag", 0.0, product, 6.5 / sqrt((draws - lag).toDouble()))
        }
    }

    /** Beyond the last layer's edge, 3.65, few of 1e6 draws land; so the tail is drawn alone and tested to its end. */
    @Test
    fun theTailGoesOnAsItShould() {
        val stream = KeyStream().apply { rekey(ByteArray(32) { (7 * it).toByte() }) }
        val tail = Ziggurat(stream)
        val beyond = DoubleArray(draws) { tail.tail() }.also { it.sort() }
        val all = upperTail(Ziggurat.R)
        val distance = beyond.indices.maxOf { i ->
            val cdf = 1 - upperTail(beyond[i]) / all
            maxOf(abs(cdf - i.toDouble() / draws), abs(cdf - (i + 1.0) / draws))
        }
        assertTrue("D = $distance", distance * sqrt(draws.toDouble()) < KS_LIMIT)
        var beyondSix = 0
        var beyondFive = 0
        repeat(5 * draws) {
            val value = tail.tail()
            if (value > 5.5) beyondFive++
            if (value > 6) beyondSix++
        }
        // as many as among 4e10 draws: 736 beyond 5.5 and 38 beyond 6
        val five = 5 * draws * upperTail(5.5) / all
        assertEquals(five, beyondFive.toDouble(), 6.5 * sqrt(five))
        assertTrue("$beyondSix beyond 6", beyondSix in 1..100)
    }

    @Test
    fun farValuesComeAsOftenAsTheyShould() {
        val source = EpsSource(10_000_000)
        val values = source.draw(image)
        for (limit in listOf(3.0, 4.0, 4.5)) {
            val expected = 2 * upperTail(limit) * values.size
            val found = values.count { abs(it) > limit }
            assertEquals("beyond $limit", expected, found.toDouble(), 6.5 * sqrt(expected))
        }
    }

    @Test
    fun twoDrawsDifferAndTheBufferIsReused() {
        val source = EpsSource(1000)
        val first = source.draw(image).copyOf()
        val second = source.draw(image)
        assertFalse(first.contentEquals(second))
        assertFalse(first.contentEquals(EpsSource(1000).draw(image)))
        assertSame(second, source.draw(image))
    }

    @Test
    fun usedNoiseIsForgotten() {
        val source = EpsSource(1000)
        source.draw(image)
        source.forget()
        assertTrue(source.draw(image).copyOf().any { it != 0f })
        val kept = source.draw(image)
        source.forget()
        assertTrue(kept.all { it == 0f })
    }

    @Test
    fun aUsedKeyIsOverwrittenWhereItLies() {
        val key = ByteArray(32) { (it + 1).toByte() }
        EpsSource(1000, { key }).draw(image)
        assertTrue(key.all { it == 0.toByte() })
        val stream = KeyStream().apply { rekey(ByteArray(32) { (it + 1).toByte() }) }
        stream.next()
        stream.wipe()
        val words = KeyStream::class.java.getDeclaredField("words").apply { isAccessible = true }.get(stream) as LongArray
        assertTrue(words.all { it == 0L })
    }

    /** P(Z > x): the error function's series below 2.5, Lentz's continued fraction above; both to 1e-12 of the value. */
    private fun upperTail(x: Double): Double {
        if (x < 0) return 1 - upperTail(-x)
        val density = exp(-x * x / 2) / sqrt(2 * Math.PI)
        if (x < 2.5) {
            var term = x
            var sum = x
            var k = 1
            while (abs(term) > 1e-17 * abs(sum) && term != 0.0) {
                term *= x * x / (2 * k + 1)
                sum += term
                k++
            }
            return 0.5 - density * sum
        }
        var fraction = x
        for (k in 200 downTo 1) fraction = x + k / fraction
        return density / fraction
    }

    private companion object {
        /** Kolmogorov: P(sqrt(n) D > t) is about 2 exp(-2 t^2). */
        val KS_LIMIT = sqrt(ln(2 / 1e-9) / 2)
    }
}
