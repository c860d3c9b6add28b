/// What comparing the features of a head that emits codes with eager torch's has to know, as toolkit/verify/codes.py does.
///
/// A code stands for a range of features one step wide: up to half a step away is rounding, not a fault. Features past the ends of
/// the codes' range are cut there, on both sides. Behind a waist codes are few and coarse, and it counts how many are the same.
public struct HeadCodes: Sendable {
    /// How many codes there are behind a waist; nil: 256.
    let levels: Int?
    let channels: Int
    private let positions: Int
    private let scale: [Float]
    private let zero: [Float]
    private var top: Float { Float((levels ?? 256) - 1) }

    /// Codes of a head that emits them, or nil.
    ///
    /// - Throws: `SchemaError` where its output has no shape that can be.
    public init?(_ head: Manifest.Head, of manifest: Manifest) throws {
        guard let output = head.outputs.first, let scale = output.scale, let zero = output.zeroPoint, output.shape.count >= 2 else {
            return nil
        }
        let isLast = output.layout != .nchw && output.layout != .nc
        channels = isLast ? output.shape.last ?? 1 : output.shape[1]
        positions = isLast ? 1 : try output.itemCount() / channels
        levels = manifest.protection?.waist?.coding.levels.first
        (self.scale, self.zero) = (scale.map { Float($0) }, zero.map { Float($0) })
    }

    func channel(_ at: Int) -> Int { at / positions % channels }

    private func affine(_ at: Int) -> (scale: Float, zero: Float) {
        (scale[scale.count == 1 ? 0 : channel(at)], zero[zero.count == 1 ? 0 : channel(at)])
    }

    /// The code of the feature at that place; nil where it is no number.
    func code(_ value: Float, _ at: Int) -> Float? {
        let (scale, zero) = affine(at)
        return value.isNaN ? nil : min(max((value / scale).rounded(.toNearestOrEven) + zero, 0), top)
    }

    /// A feature of eager torch's, limited to what codes can express.
    func cut(_ value: Float, _ at: Int) -> Float {
        let (scale, zero) = affine(at)
        return min(max(value, -zero * scale), (top - zero) * scale)
    }

    /// A feature moved towards the wanted one by half a step at most.
    func withoutRounding(_ found: Float, _ wanted: Float, _ at: Int) -> Float {
        let difference = found - wanted
        guard !difference.isNaN else { return difference }
        let rest = max(abs(difference) - affine(at).scale / 2, 0)
        return wanted + (difference < 0 ? -rest : rest)
    }

    /// Least share of a waist's codes that are eager torch's, by precision; toolkit/package/limits.py.
    static func leastSame(_ precision: String) -> Double {
        ["fp32": 0.999, "fp16": 0.99, "w8": 0.95, "int8": 0.9][precision] ?? 0.8
    }

    /// How much lower the weakest channel may be.
    static let local = 0.1
}
