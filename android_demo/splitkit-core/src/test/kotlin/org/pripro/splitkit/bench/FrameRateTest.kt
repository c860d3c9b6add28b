package org.pripro.splitkit.bench

import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test

class FrameRateTest {
    @Test
    fun whatComesMeanwhileIsDroppedNotQueued() {
        var now = 0L
        val rate = FrameRate { now }
        assertEquals(0.0, rate.perSecond(), 0.0)
        repeat(5) {
            assertTrue(rate.begin())
            repeat(2) { assertFalse(rate.begin()) }
            now += 100_000_000
            rate.end()
        }
        assertEquals(listOf(5, 10), listOf(rate.done, rate.dropped))
        assertEquals(10.0, rate.perSecond(), 1e-9)
    }
}
