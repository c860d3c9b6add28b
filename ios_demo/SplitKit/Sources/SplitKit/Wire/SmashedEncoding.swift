import Foundation

/// Bytes that are not a request or answer of the protocol: one sentence.
public struct WireError: Error, LocalizedError, Equatable {
    public let message: String
    public var errorDescription: String? { message }

    init(_ message: String) {
        self.message = message
    }
}

/// How smashed features become bytes: as float32, as float16, or as affine codes of one byte.
///
/// Everything is computed in float32 and rounded half to even, so that Python, Kotlin and Swift send the same bytes.
public struct SmashedEncoding: Sendable {
    public let spec: Manifest.TensorSpec
    private let itemCount: Int

    /// - Throws: `WireError` for a spec that no tail accepts.
    public init(_ spec: Manifest.TensorSpec) throws {
        guard let count = try? spec.itemCount(), spec.shape.count >= 2 else {
            throw WireError("The smashed features have the shape \(spec.shape), which cannot be sent.")
        }
        guard spec.dtype != .int8 else { throw WireError("int8 does not cross the wire; expected float32, float16 or uint8.") }
        if spec.dtype == .uint8 {
            let channels = Self.channels(spec)
            guard let scale = spec.scale, let zero = spec.zeroPoint, scale.count == zero.count,
                scale.count == 1 || scale.count == channels, scale.allSatisfy({ $0 > 0 && $0.isFinite })
            else { throw WireError("The uint8 encoding needs one scale and zero point, or one per channel (\(channels)).") }
        }
        self.spec = spec
        itemCount = count
    }

    /// The channel is the second dimension of NCHW and NC, the last of other layouts.
    private static func channels(_ spec: Manifest.TensorSpec) -> Int { isChannelLast(spec) ? spec.shape.last ?? 1 : spec.shape[1] }

    private static func isChannelLast(_ spec: Manifest.TensorSpec) -> Bool { spec.layout != .nchw && spec.layout != .nc }

    /// The features that the codes of a head stand for; `encode` makes exactly these codes of them again.
    ///
    /// - Parameters:
    ///   - codes: a head's answer [n,C,h,w], flat; whole numbers in 0...255 where the runtime has no bytes.
    ///   - output: the head's output, with the codes' scale and zero point.
    /// - Throws: `WireError` for an output without them, another size, or numbers that are not codes.
    public static func features<Number: BinaryFloatingPoint>(codes: [Number], output: Manifest.TensorSpec) throws -> [Float] {
        try features(
            codes: codes.map { value in
                guard let code = UInt8(exactly: value) else { throw WireError("The head gave \(value), which is no code.") }
                return code
            }, output: output)
    }

    public static func features(codes: [UInt8], output: Manifest.TensorSpec) throws -> [Float] {
        guard output.scale != nil else { throw WireError("The head's output has no scale; its values are no codes.") }
        let encoding = try SmashedEncoding(
            .init(
                name: output.name, dtype: .uint8, shape: output.shape, layout: output.layout, scale: output.scale,
                zeroPoint: output.zeroPoint))
        return try encoding.decode(Data(codes))
    }

    /// What the protocol calls this type.
    public var datatype: String {
        switch spec.dtype {
        case .float32: "FP32"
        case .float16: "FP16"
        case .uint8, .int8: "UINT8"
        }
    }

    /// The shape [n,C,h,w] of a flat array of `count` values.
    ///
    /// - Throws: `WireError` where it is not a whole number of items.
    func shape(ofCount count: Int) throws -> [Int] {
        guard count > 0, count.isMultiple(of: itemCount) else {
            throw WireError("The features have \(count) values, the tail takes \(itemCount) an item (\(spec.shape.dropFirst())).")
        }
        return [count / itemCount] + spec.shape.dropFirst()
    }

    /// The payload's bytes, little endian, C order.
    ///
    /// - Throws: `WireError` for another size, NaN, infinity, or values beyond this encoding's range.
    public func encode(_ smashed: [Float]) throws -> Data {
        _ = try shape(ofCount: smashed.count)
        guard smashed.allSatisfy(\.isFinite) else { throw Self.notFinite }
        switch spec.dtype {
        case .float32: return LittleEndian.data(smashed)
        case .float16: return try halves(smashed)
        case .uint8, .int8: return codes(smashed)
        }
    }

    private static let notFinite = WireError(
        "The features hold NaN or infinity, or values beyond this encoding's range.")

    private func halves(_ smashed: [Float]) throws -> Data {
        var data = Data(capacity: 2 * smashed.count)
        for value in smashed {
            let bits = HalfFloat.bits(value)
            guard bits & 0x7C00 != 0x7C00 else { throw Self.notFinite }
            data.append(UInt8(bits & 0xFF))
            data.append(UInt8(bits >> 8))
        }
        return data
    }

    /// Scale and zero point of each channel, and how many neighbouring values share them.
    private func affine() -> (scale: [Float], zero: [Float], positions: Int) {
        let channels = Self.channels(spec)
        func spread(_ values: [Float]) -> [Float] {
            values.count == 1 ? [Float](repeating: values[0], count: channels) : values
        }
        return (
            spread(spec.scale?.map { Float($0) } ?? [1]), spread(spec.zeroPoint?.map { Float($0) } ?? [0]),
            Self.isChannelLast(spec) ? 1 : itemCount / channels
        )
    }

    private func codes(_ smashed: [Float]) -> Data {
        let (scale, zero, positions) = affine()
        var data = Data(count: smashed.count)
        data.withUnsafeMutableBytes { (out: UnsafeMutableRawBufferPointer) in
            for start in stride(from: 0, to: smashed.count, by: positions) {
                let channel = start / positions % scale.count
                for index in start..<start + positions {
                    let code = (smashed[index] / scale[channel]).rounded(.toNearestOrEven) + zero[channel]
                    out[index] = UInt8(min(max(code, 0), 255))
                }
            }
        }
        return data
    }

    /// The features that a payload stands for.
    ///
    /// - Throws: `WireError` for another size, NaN or infinity.
    public func decode(_ payload: Data) throws -> [Float] {
        guard !payload.isEmpty, payload.count.isMultiple(of: itemCount * spec.dtype.size) else {
            throw WireError("\(payload.count) bytes came, expected \(itemCount * spec.dtype.size) an item.")
        }
        let bytes = [UInt8](payload)
        let values: [Float]
        switch spec.dtype {
        case .float32: values = LittleEndian.floats(payload)
        case .float16:
            values = stride(from: 0, to: bytes.count, by: 2).map {
                HalfFloat.float(UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8)
            }
        case .uint8, .int8:
            let (scale, zero, positions) = affine()
            values = bytes.enumerated().map { index, code in
                let channel = index / positions % scale.count
                return (Float(code) - zero[channel]) * scale[channel]
            }
        }
        guard values.allSatisfy(\.isFinite) else { throw Self.notFinite }
        return values
    }
}
