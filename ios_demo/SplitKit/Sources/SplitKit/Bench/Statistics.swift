/// Samples in milliseconds, described as tests/contract/percentiles.json fixes it.
public struct Summary: Sendable, Equatable {
    public let n: Int
    public let mean: Double
    /// Of these samples (divided by n).
    public let std: Double
    public let min: Double
    public let p50: Double
    public let p90: Double
    public let p99: Double

    /// - Parameter samples: at least one.
    public init(_ samples: [Double]) {
        precondition(!samples.isEmpty, "no samples to describe")
        let sorted = samples.sorted()
        let mean = samples.reduce(0, +) / Double(samples.count)
        let squares = samples.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        n = samples.count
        self.mean = mean
        std = (squares / Double(samples.count)).squareRoot()
        min = sorted[0]
        p50 = Self.percentile(sorted, 50)
        p90 = Self.percentile(sorted, 90)
        p99 = Self.percentile(sorted, 99)
    }

    /// The percentile by linear interpolation, as `numpy.percentile` computes it.
    ///
    /// - Parameters:
    ///   - sorted: ascending, at least one.
    ///   - percent: from 0 to 100.
    public static func percentile(_ sorted: [Double], _ percent: Double) -> Double {
        let place = Double(sorted.count - 1) * (percent / 100)
        let below = Int(place.rounded(.down))
        let share = place - Double(below)
        let low = sorted[below]
        let high = sorted[Swift.min(below + 1, sorted.count - 1)]
        // from the nearer end, as numpy does, so that the last digit agrees
        return share < 0.5 ? low + (high - low) * share : high - (high - low) * (1 - share)
    }
}
