import Foundation

/// Real inputs with fixed eps, and what the network answers to them, row by row.
public struct GoldenRows: Sendable {
    /// One row, batch axis 1 left out.
    public struct Row: Sendable, Equatable {
        public let index: Int
        public let image: [Float]
        /// Empty where the protection takes no noise.
        public let eps: [Float]
        /// Another draw for the same image; empty where there is no noise.
        public let otherEps: [Float]
        public let smashed: [Float]
        public let logits: [Float]
        /// The true class, or -1 where it is unknown.
        public let label: Int
        /// False for rows that are chosen to be hard, such as an image of one colour.
        public let isPhoto: Bool
    }

    public let rows: [Row]

    init(inputs: Safetensors.Content, expected: Safetensors.Content, manifest: Manifest) throws {
        let count = manifest.golden?.n ?? 0
        func rows(_ content: Safetensors.Content, _ name: String, _ spec: Manifest.TensorSpec) throws -> [[Float]] {
            let wanted = [count] + spec.shape.dropFirst()
            guard let tensor = content.tensors[name], let floats = tensor.floats, tensor.shape == wanted else {
                throw BundleError("The golden \(name) is not float32 \(wanted); make the goldens anew with: pripro package BUNDLE")
            }
            let size = try spec.itemCount()
            return (0..<count).map { Array(floats[($0 * size)..<(($0 + 1) * size)]) }
        }
        let none = [[Float]](repeating: [], count: count)
        let images = try rows(inputs, "image", manifest.split.image)
        let eps = try manifest.protection?.eps.first.map { try rows(inputs, "eps", $0) } ?? none
        let other = try manifest.protection?.eps.first.map { try rows(inputs, "eps_other", $0) } ?? none
        let smashed = try rows(expected, "smashed", manifest.smashed())
        let logits = try rows(expected, "logits", manifest.logits())
        guard case .int64(let labels)? = expected.tensors["label"]?.values, labels.count == count else {
            throw BundleError("The golden labels are not int64 [\(count)]; make the goldens anew with: pripro package BUNDLE")
        }
        let names = try inputs.metadata["rows"].map { try JSONParser.parse(Data($0.utf8)) }
        func isPhoto(_ index: Int) -> Bool {
            guard case .array(let items)? = names, index < items.count else { return true }
            return items[index] == .string("photo")
        }
        self.rows = (0..<count).map {
            Row(
                index: $0, image: images[$0], eps: eps[$0], otherEps: other[$0], smashed: smashed[$0], logits: logits[$0],
                label: Int(labels[$0]), isPhoto: isPhoto($0))
        }
    }
}
