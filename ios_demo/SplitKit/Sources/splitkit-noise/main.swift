// How fast noise is made on one core of this machine: swift run -c release splitkit-noise
//
// Two clocks: the thread's CPU time and wall-clock time; on a busy machine they differ.
import Foundation
import SplitKit

func seconds(_ clock: clockid_t) -> Double {
    var time = timespec()
    clock_gettime(clock, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// Medians over `rounds` fills of `count` values: (CPU seconds, wall seconds).
func measure(count: Int, rounds: Int) throws -> (cpu: Double, wall: Double) {
    let source = NoiseSource()
    var buffer = [Float](repeating: 0, count: count)
    try source.fill(&buffer)  // tables and pages
    var cpu: [Double] = []
    var wall: [Double] = []
    for _ in 0..<rounds {
        let start = (seconds(CLOCK_THREAD_CPUTIME_ID), seconds(CLOCK_MONOTONIC))
        try source.fill(&buffer)
        cpu.append(seconds(CLOCK_THREAD_CPUTIME_ID) - start.0)
        wall.append(seconds(CLOCK_MONOTONIC) - start.1)
    }
    return (cpu.sorted()[rounds / 2], wall.sorted()[rounds / 2])
}

let bulk = 1 << 20
let map = 100_352  // a [1,128,28,28] feature map, 401 KB
let large = try measure(count: bulk, rounds: 31)
let small = try measure(count: map, rounds: 101)
print(
    String(
        format: "{\"million_values_per_cpu_s\":%.1f,\"million_values_per_wall_s\":%.1f,\"cpu_ms_for_%d\":%.3f}",
        Double(bulk) / large.cpu / 1e6, Double(bulk) / large.wall / 1e6, map, small.cpu * 1e3))
