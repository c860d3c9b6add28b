import Foundation

/// Entropy-coded features, wire version 2: the smallest messages that a tail behind a waist takes.
public struct CodedEncoding: Sendable {
    /// What crosses: name, shape and layout.
    let spec: Manifest.TensorSpec
    let coding: Manifest.Coding
    private let coder: RANSCoder
    private let channels: Int
    private let positions: Int
    private var isChannelLast: Bool { spec.layout != .nchw }

    /// - Throws: `WireError` for a coding that is inconsistent, or of another shape.
    public init(_ spec: Manifest.TensorSpec, coding: Manifest.Coding) throws {
        guard spec.shape.count >= 2, let values = try? spec.itemCount(), values <= 1 << 20,
            let channels = spec.layout == .nchw ? spec.shape[1] : spec.shape.last, channels == coding.levels.count
        else { throw WireError("The bundle's coding has \(coding.levels.count) channels for the shape \(spec.shape); make the bundle anew.") }
        (self.spec, self.coding, self.channels, positions) = (spec, coding, channels, values / channels)
        coder = try RANSCoder(coding, positions: positions, isChannelLast: spec.layout != .nchw)
    }

    func items(ofCount count: Int) throws -> Int {
        guard count > 0, count.isMultiple(of: coder.count) else {
            throw WireError("The features have \(count) values, the tail takes \(coder.count) an item (\(spec.shape.dropFirst())).")
        }
        return count / coder.count
    }

    /// As for uint8, with the channel's last level in place of 255.
    func codes(_ smashed: [Float]) throws -> [UInt8] {
        _ = try items(ofCount: smashed.count)
        guard smashed.allSatisfy(\.isFinite) else { throw WireError("The features hold NaN or infinity.") }
        return smashed.enumerated().map { index, value in
            let channel = isChannelLast ? index % channels : index / positions % channels
            let code = (value / Float(coding.scale[channel])).rounded(.toNearestOrEven) + Float(coding.zeroPoint[channel])
            return UInt8(min(max(code, 0), Float(coding.levels[channel] - 1)))
        }
    }

    /// Each item's length, 32 bits little endian, and its message.
    func payload(_ codes: [UInt8]) throws -> Data {
        var data = Data()
        for item in 0..<(try items(ofCount: codes.count)) {
            let message = try coder.encode(Array(codes[(item * coder.count)..<((item + 1) * coder.count)]))
            withUnsafeBytes(of: UInt32(message.count).littleEndian) { data.append(contentsOf: $0) }
            data.append(message)
        }
        return data
    }
}
