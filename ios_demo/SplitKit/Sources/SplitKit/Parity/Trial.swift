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
    /// signal to noise ratio in dB.
    ///
    /// - Parameters:
    ///   - found: one row of features per photo, as the head gave them.
    ///   - wanted: the same rows as eager torch has them.
    ///   - precision: the head's, such as `fp16`; it names the limit.
    ///   - tolerances: the goldens'.
    ///   - isExact: whether an fp32 head is computed in single precision there, as on a CPU.
    /// - Throws: `BundleError` where the goldens have no tolerance for that precision.
    public init(found: [[Float]], wanted: [[Float]], precision: String, tolerances: OrderedMap<Double>, isExact: Bool) throws {
        var (signal, noise, difference, peak) = (0.0, 0.0, 0.0, 0.0)
        for (found, wanted) in zip(found.joined(), wanted.joined()) {
            let off = Double(found) - Double(wanted)
            signal += Double(wanted) * Double(wanted)
            noise += off * off
            // NaN compares as neither larger nor smaller, and must not pass
            difference = off.isNaN ? .infinity : max(difference, abs(off))
            peak = max(peak, Double(abs(wanted)))
        }
        func tolerance(_ name: String) -> Double? { tolerances.entries.first { $0.key == name }?.value }
        guard let limit = tolerance(precision), found.map(\.count) == wanted.map(\.count), !wanted.isEmpty else {
            throw BundleError("The goldens have no tolerance for \(precision), or no photo; make them anew with: pripro package BUNDLE")
        }
        if precision == "fp32", isExact {
            let allowed = limit * max(1, peak / 10)
            passed = difference <= allowed
            says = String(format: "largest difference %.1e, at most %.1e", difference, allowed)
        } else {
            let least = precision == "fp32" ? tolerance("fp16") ?? 50 : limit
            let ratio = difference.isInfinite ? -Double.infinity : 10 * log10(signal / max(noise, 1e-30))
            passed = ratio >= least
            says = String(format: "%.1f dB, at least %.1f", ratio, least)
        }
    }
}
