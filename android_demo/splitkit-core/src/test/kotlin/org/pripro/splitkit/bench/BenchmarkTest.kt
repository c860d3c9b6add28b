package org.pripro.splitkit.bench

import org.junit.Assert.assertEquals
import org.junit.Test
import org.pripro.splitkit.Contract
import org.pripro.splitkit.refused
import java.io.File

class BenchmarkTest {
    private val order = StringBuilder()

    private fun subject(name: String) = Subject(name) {
        order.append("($name)")
        val step = {
            order.append(name)
            Unit
        }
        step
    }

    @Test
    fun subjectsTakeTurns() {
        val timings = Benchmark(warmups = 2, rounds = 3).run(listOf(subject("a"), subject("b")))
        // load, first run and two warm-ups of each; then round by round
        assertEquals("(a)aaa(b)bbbababab", order.toString())
        assertEquals(listOf(3, 3), timings.map { it.runsMs.size })
    }

    @Test
    fun timeIsTheClocks() {
        var now = 0L
        val clock = {
            now += 1_500_000
            now
        }
        val timing = Benchmark(warmups = 0, rounds = 4, clock = clock).run(listOf(subject("a"))).single()
        assertEquals(listOf(1.5, 1.5, 1.5, 1.5), timing.runsMs)
        assertEquals(1.5, timing.loadMs, 0.0)
        assertEquals(1.5, timing.firstRunMs, 0.0)
    }

    @Test
    fun aCancelledRunStopsBetweenTwoRuns() {
        refused<Cancelled>("a cancelled run") {
            Benchmark(0, 1000).run(listOf(subject("a")), cancelled = { order.length > 10 })
        }
        assertEquals(11, order.length)
    }

    @Test
    fun whatComesBeforeALoadIsNotItsTime() {
        var now = 0L
        val subject = Subject("a", prepare = { now += 40_000_000 }) {
            now += 2_000_000
            val step = { now += 1_000_000 }
            step
        }
        val timing = Benchmark(warmups = 0, rounds = 2, clock = { now }).run(listOf(subject)).single()
        assertEquals(2.0, timing.loadMs, 0.0)
        assertEquals(1.0, timing.firstRunMs, 0.0)
    }

    @Test
    fun nothingIsSortedBetweenTwoRunsUnlessSomebodyLooks() {
        var sorted = 0
        val benchmark = Benchmark(warmups = 0, rounds = 50, describe = {
            sorted++
            Statistics.of(it)
        })
        benchmark.run(listOf(subject("a")))
        assertEquals(0, sorted)
        var looks = 0
        benchmark.run(listOf(subject("a")), progress = { if (it.round % 10 == 0) looks += it.soFar.n / it.round })
        assertEquals(listOf(5, 5), listOf(sorted, looks))
    }

    @Test
    fun theReportIsTheContractsByteForByte() {
        val source = RowSource("executorch", "fp32", "xnnpack", "ExecuTorch 1.5.1")
        val of = Statistics(100, 8.1234567, 0.000001, 7.5, 8.0, 9.125, 10.0000005)
        val common = LatencyRow("head", source, 2, 41.25, 12.0, 5, of, 1.0, 123456789, "")
        val one = Statistics(1, 1234567.5, 0.0, 1e-07, 0.1, 100.0, 1e6)
        val hot = "throttled: \"severe\" \\ 45 °C\n"
        val network = LatencyRow("network", source, 2, null, null, 0, one, null, null, hot)
        val report = LatencyReport(
            bundleId = Contract.of("latency").first { it.accept }.bundleId!!,
            createdUtc = "2026-01-02T03:04:05Z",
            device = Device("android", "Pixel 4", "Android 10 (API 29)", "arm64-v8a", 8),
            start = Condition(temperatureC = 30.5, thermalStatus = "none", batteryPercent = 80.0),
            end = Condition(thermalStatus = "light", batteryPercent = 79.0, loadAverage = 1.25),
            rows = listOf(common, network),
        )
        // the app profiles no operators; the fixture holds one to fix their spelling for tools that do
        val expected = File(Contract.folder, "reports/latency.json").readText().replace(Regex("\"operators\":\\[.*]"), "\"operators\":[]")
        assertEquals(expected, report.write())
    }
}
