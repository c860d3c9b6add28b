import Foundation

/// A tensor as it lies in a file, C order.
public struct StoredTensor: Sendable, Equatable {
    public enum Values: Sendable, Equatable {
        case float32([Float])
        case int64([Int64])
    }

    public let shape: [Int]
    public let values: Values

    /// The values where they are float32, else nil.
    public var floats: [Float]? {
        if case .float32(let values) = values { values } else { nil }
    }
}

/// Reads .safetensors files: eight bytes of length, a JSON header, the data. F32 and I64, little endian.
public enum Safetensors {
    private static let maximumHeader = 1 << 20

    /// What a file holds.
    public struct Content: Sendable {
        public var tensors: [String: StoredTensor]
        public var metadata: [String: String]
    }

    /// Reads a whole file.
    ///
    /// - Throws: `BundleError`: not such a file, damaged, or of a type not read here.
    public static func read(_ url: URL) throws -> Content {
        let data: Data
        do {
            data = try Data(contentsOf: url, options: .mappedIfSafe)
        } catch {
            throw BundleError("\(url.path) cannot be read; expected a .safetensors file, check the path.")
        }
        return try parse(data, name: url.lastPathComponent)
    }

    static func parse(_ data: Data, name: String) throws -> Content {
        let data = Data(data)  // indices from 0
        func damaged(_ what: String) -> BundleError {
            BundleError("\(name) is no sound .safetensors file: \(what); make it anew.")
        }
        guard data.count >= 8 else { throw damaged("it is too short for a header") }
        let length = data.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
        guard length <= UInt64(maximumHeader), length <= UInt64(data.count - 8) else {
            throw damaged("its header claims \(length) bytes")
        }
        let body = 8 + Int(length)
        guard case .object(let members)? = try? JSONParser.parse(data[8..<body]) else {
            throw damaged("its header is no JSON object")
        }
        var content = Content(tensors: [:], metadata: [:])
        var entries: [Entry] = []
        for member in members {
            if member.key == "__metadata__" {
                let map = try? Read.map(Read.string)(member.value, "")
                for pair in map?.entries ?? [] { content.metadata[pair.key] = pair.value }
            } else {
                entries.append(try Entry(member, damaged))
            }
        }
        var end = 0
        for entry in entries.sorted(by: { ($0.begin, $0.end) < ($1.begin, $1.end) }) {
            guard entry.begin == end else { throw damaged("\(entry.name) overlaps or leaves a gap") }
            guard entry.end <= data.count - body else { throw damaged("\(entry.name) leaves the file") }
            end = entry.end
            content.tensors[entry.name] = entry.tensor(data[(body + entry.begin)..<(body + entry.end)])
        }
        guard end == data.count - body else { throw damaged("\(data.count - body - end) bytes belong to no tensor") }
        return content
    }

    private struct Entry {
        let name: String
        let isFloat: Bool
        let shape: [Int]
        let begin: Int
        let end: Int

        init(_ member: JSON.Member, _ damaged: (String) -> BundleError) throws {
            name = member.key
            guard case .string(let dtype)? = member.value["dtype"],
                let shape = try? Read.list(Read.integer(atLeast: 0))(member.value["shape"] ?? .null, ""),
                let offsets = try? Read.list(Read.integer(atLeast: 0))(member.value["data_offsets"] ?? .null, ""),
                offsets.count == 2, offsets[0] <= offsets[1]
            else { throw damaged("\(name) has no dtype, shape and data_offsets") }
            guard dtype == "F32" || dtype == "I64" else {
                throw damaged("\(name) has the dtype \(dtype), only F32 and I64 are read here")
            }
            isFloat = dtype == "F32"
            self.shape = shape
            (begin, end) = (offsets[0], offsets[1])
            var bytes = isFloat ? 4 : 8
            for size in shape {
                let (product, overflow) = bytes.multipliedReportingOverflow(by: size)
                guard !overflow else { throw damaged("\(name) has an impossible shape") }
                bytes = product
            }
            guard bytes == end - begin else { throw damaged("\(name) has another size than its shape says") }
        }

        func tensor(_ bytes: Data) -> StoredTensor {
            StoredTensor(
                shape: shape,
                values: isFloat
                    ? .float32(LittleEndian.floats(bytes))
                    : .int64(
                        bytes.withUnsafeBytes { raw in
                            (0..<raw.count / 8).map {
                                Int64(littleEndian: raw.loadUnaligned(fromByteOffset: 8 * $0, as: Int64.self))
                            }
                        }))
        }
    }
}

/// Float32 values as little-endian bytes and back.
public enum LittleEndian {
    public static func floats(_ data: Data) -> [Float] {
        data.withUnsafeBytes { raw in
            [Float](unsafeUninitializedCapacity: raw.count / 4) { out, count in
                for index in 0..<raw.count / 4 {
                    let bits = UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self))
                    (out.baseAddress! + index).initialize(to: Float(bitPattern: bits))
                }
                count = raw.count / 4
            }
        }
    }

    public static func data(_ floats: [Float]) -> Data {
        var data = Data(count: 4 * floats.count)
        data.withUnsafeMutableBytes { raw in
            for (index, value) in floats.enumerated() {
                raw.storeBytes(of: value.bitPattern.littleEndian, toByteOffset: 4 * index, as: UInt32.self)
            }
        }
        return data
    }
}
