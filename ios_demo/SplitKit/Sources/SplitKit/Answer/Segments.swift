/// The class of each pixel, row by row; of a single map, 1 where the mask is.
public struct Segments: Sendable, Equatable {
    public let height: Int
    public let width: Int
    public let classes: [Int]
    private let labels: [String]

    /// A class and how much of the picture it has, 0 to 1.
    public struct Share: Sendable, Equatable {
        public let index: Int
        public let label: String
        public let share: Double
    }

    /// - Parameters:
    ///   - output: maps [K,h,w]; with K = 1 a pixel is in the mask above `threshold`.
    init(_ output: Output, threshold: Float, labels: [String]) {
        let (maps, size) = (output.shape[0], output.shape[1] * output.shape[2])
        (height, width, self.labels) = (output.shape[1], output.shape[2], labels)
        classes = (0..<size).map { pixel in
            if maps == 1 { return output.values[pixel] > threshold ? 1 : 0 }
            return Reading.largest(maps) { output.values[$0 * size + pixel] }
        }
    }

    /// The classes that are there, the largest first.
    public var shares: [Share] {
        let counts = classes.reduce(into: [Int: Int]()) { $0[$1, default: 0] += 1 }
        let all = counts.map { Share(index: $0.key, label: Reading.label(labels, $0.key), share: Double($0.value) / Double(classes.count)) }
        return all.sorted { ($0.share, $1.index) > ($1.share, $0.index) }
    }

    /// A picture: red, green, blue and an unused byte a pixel, one colour for each class, class 0 black.
    public var rgbx: [UInt8] {
        classes.flatMap { index in
            let colour = Self.colour(index)
            return [UInt8(colour >> 16), UInt8(colour >> 8 & 255), UInt8(colour & 255), 255]
        }
    }

    /// 0xRRGGBB of a class: its bits, lowest first, become the highest bits of red, green and blue in turn, so that neighbours differ.
    ///
    /// Source: the colour map of PASCAL VOC's development kit.
    static func colour(_ index: Int) -> Int {
        (0..<8).reduce(0) { colour, turn in
            let three = index >> (3 * turn) & 7
            return (0..<3).reduce(colour) { $0 | (three >> $1 & 1) << (7 - turn + 16 - 8 * $1) }
        }
    }
}
