import Foundation

/// How the golden photos came out on one processor.
///
/// Parity first: a processor is offered only if the golden photos come out as eager torch has them. GPUs and neural engines compute
/// in half precision, or leave an operator out, and a head that is wrong there is wrong silently.
public struct Trial: Sendable, Equatable {
    /// Whether it may be used for photos.
    public let passed: Bool
    /// The figure that decided.
    public let says: String

    /// Judges by the limits of `pripro verify` for photos: of an fp32 head on the CPU the largest difference, of the others the
    /// signal to noise ratio in dB; of heads that emit codes what half a step of a code does not explain, and behind a waist the share
    /// of codes that are the same.
    ///
    /// - Parameters:
    ///   - found: one row of features per photo, as the head gave them.
    ///   - wanted: the same rows as eager torch has them.
    ///   - precision: the head's, such as `fp16`; it names the limit.
    ///   - tolerances: the goldens'.
    ///   - isExact: whether an fp32 head is computed in single precision there, as on a CPU.
    ///   - codes: of a head that emits codes; see `HeadCodes`.
    /// - Throws: `BundleError` where the goldens have no tolerance for that precision.
    public init(
        found: [[Float]], wanted: [[Float]], precision: String, tolerances: OrderedMap<Double>, isExact: Bool, codes: HeadCodes? = nil
    ) throws {
        guard let limit = tolerances[precision], found.map(\.count) == wanted.map(\.count), !wanted.isEmpty else {
            throw BundleError("The goldens have no tolerance for \(precision), or no photo; make them anew with: pripro package BUNDLE")
        }
        if let codes, codes.levels != nil {
            let least = HeadCodes.leastSame(precision == "fp32" && !isExact ? "fp16" : precision)
            let (share, weakest) = Self.same(found, wanted, codes)
            passed = share >= least && weakest >= least - HeadCodes.local
            says = String(
                format: "%.1f %% of the codes are the same, %.1f %% in the weakest channel, at least %.1f", 100 * share, 100 * weakest,
                100 * least)
            return
        }
        var (signal, noise, difference, peak) = (0.0, 0.0, 0.0, 0.0)
        for (found, wanted) in zip(found, wanted) {
            for (at, pair) in zip(found, wanted).enumerated() {
                let wanted = codes?.cut(pair.1, at) ?? pair.1
                let off = Double(codes?.withoutRounding(pair.0, wanted, at) ?? pair.0) - Double(wanted)
                signal += Double(wanted) * Double(wanted)
                noise += off * off
                // NaN compares as neither larger nor smaller, and must not pass
                difference = off.isNaN ? .infinity : max(difference, abs(off))
                peak = max(peak, Double(abs(wanted)))
            }
        }
        if precision == "fp32", isExact {
            let allowed = limit * max(1, peak / 10)
            passed = difference <= allowed
            says = String(format: "largest difference %.1e, at most %.1e", difference, allowed)
        } else {
            let least = precision == "fp32" ? tolerances["fp16"] ?? 50 : limit
            let ratio = difference.isInfinite ? -Double.infinity : 10 * log10(signal / max(noise, 1e-30))
            passed = ratio >= least
            says = String(format: "%.1f dB, at least %.1f", ratio, least)
        }
    }

    /// Which share of the codes is the same, over all and in the weakest channel.
    private static func same(_ found: [[Float]], _ wanted: [[Float]], _ codes: HeadCodes) -> (all: Double, weakest: Double) {
        var (same, all) = ([Double](repeating: 0, count: codes.channels), [Double](repeating: 0, count: codes.channels))
        for (found, wanted) in zip(found, wanted) {
            for at in wanted.indices {
                all[codes.channel(at)] += 1
                if let code = codes.code(found[at], at), code == codes.code(wanted[at], at) { same[codes.channel(at)] += 1 }
            }
        }
        let shares = zip(same, all).map { $0 / max($1, 1) }
        return (same.reduce(0, +) / max(all.reduce(0, +), 1), shares.min() ?? 0)
    }
}
