/// One output of the network, in the order of its shape without the batch.
public struct Output: Sendable, Equatable {
    public let spec: Manifest.TensorSpec
    public let values: [Float]

    /// Its shape without the batch, such as [K] or [K,h,w].
    public var shape: [Int] { Array(spec.shape.dropFirst()) }

    /// Takes a tail's answer apart: the tail sends all outputs of the network, one behind the other.
    ///
    /// - Throws: `TailError.badAnswer`: another number of values than the outputs have.
    public static func apart(_ answer: [Float], _ specs: [Manifest.TensorSpec]) throws -> [Output] {
        let counts = try specs.map { try $0.itemCount() }
        guard answer.count == counts.reduce(0, +) else {
            throw TailError.badAnswer("\(answer.count) values came, the bundle's outputs have \(counts.reduce(0, +)).")
        }
        var at = 0
        return zip(specs, counts).map { spec, count in
            defer { at += count }
            return Output(spec: spec, values: Array(answer[at..<(at + count)]))
        }
    }
}
