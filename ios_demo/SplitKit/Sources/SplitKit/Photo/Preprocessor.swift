/// From a photo's pixels to the head's input, as toolkit/datasets/_preprocess.py computes it on the host.
///
/// The host resizes with Pillow, which averages over all source pixels when it shrinks a photo. Image frameworks of phones
/// sample four of them, so their result differs visibly; this is the same arithmetic instead. (Some versions of Pillow take the
/// columns of tall photos first, which moves a value by one grey level at most.)
public struct Preprocessor: Sendable {
    private let how: Manifest.Preprocess

    /// - Throws: `BundleError` for means and deviations that do not fit the channels.
    public init(_ how: Manifest.Preprocess) throws {
        guard how.mean.count == how.channels, how.std.count == how.channels, how.width > 0, how.height > 0 else {
            throw BundleError("The bundle has \(how.mean.count) means and \(how.std.count) deviations for \(how.channels) channels; make it anew.")
        }
        self.how = how
    }

    /// Turns a photo into the head's input. Each row is read once and only what is as wide as the result is kept.
    ///
    /// - Returns: [C,H,W], flat.
    public func tensor(_ photo: some Photo) -> [Float] {
        let pixels = pixels(photo)
        let size = how.height * how.width
        var tensor = [Float](repeating: 0, count: how.channels * size)
        for channel in 0..<how.channels {
            let source = how.order == .bgr ? how.channels - 1 - channel : channel
            let (mean, std) = (Float(how.mean[channel]), Float(how.std[channel]))
            for index in 0..<size {
                let byte = Float(pixels.bytes[index * how.channels + source])
                tensor[channel * size + index] = ((how.valueRange == 1 ? byte / 255 : byte) - mean) / std
            }
        }
        return tensor
    }

    /// 8-bit pixels of the input's size, red first.
    private func pixels(_ photo: some Photo) -> Picture {
        let (width, height) = (Double(photo.width), Double(photo.height))
        switch how.resize {
        case .stretch, .centerCrop:
            let (columns, rows) = box(photo.width, photo.height)
            return resize(photo, how.width, how.height, columns, rows)
        case .shorterSide:
            let short = how.shorterSide ?? min(how.width, how.height)
            let longer = Int(Double(short * max(photo.width, photo.height)) / min(width, height))
            let (wide, high) = photo.width <= photo.height ? (short, longer) : (longer, short)
            return middle(whole(photo, wide, high), fill: [UInt8](repeating: 0, count: how.channels))
        case .pad:
            let ratio = max(height / Double(how.height), width / Double(how.width))
            let side = { (length: Double) in max(Int((length / ratio).rounded(.toNearestOrEven)), 1) }
            let mean = how.order == .bgr ? how.mean.reversed() : how.mean
            let fill = mean.map { UInt8(min(max((255 * $0 / Double(how.valueRange)).rounded(.toNearestOrEven), 0), 255)) }
            return middle(whole(photo, side(width), side(height)), fill: fill)
        }
    }

    private func whole(_ photo: some Photo, _ wide: Int, _ high: Int) -> Picture {
        resize(photo, wide, high, 0..<Float(photo.width), 0..<Float(photo.height))
    }

    private func resize(_ photo: some Photo, _ wide: Int, _ high: Int, _ columns: Range<Float>, _ rows: Range<Float>) -> Picture {
        PillowResize(channels: how.channels, interpolation: how.interpolation, averages: how.antialias).resize(photo, wide, high, columns, rows)
    }

    /// The middle of a picture; what is missing there is `fill`. Python's rounding: half to even, and downwards for the paste.
    private func middle(_ picture: Picture, fill: [UInt8]) -> Picture {
        func offset(_ length: Int, _ wanted: Int) -> Int {
            let board = max(length, wanted)
            return Int((Double(board - wanted) / 2).rounded(.toNearestOrEven)) - (board - length) / 2
        }
        let (left, top) = (offset(picture.width, how.width), offset(picture.height, how.height))
        var bytes: [UInt8] = []
        bytes.reserveCapacity(how.width * how.height * how.channels)
        for y in 0..<how.height {
            for x in 0..<how.width {
                let (column, row) = (x + left, y + top)
                guard (0..<picture.width).contains(column), (0..<picture.height).contains(row) else {
                    bytes += fill
                    continue
                }
                let at = (row * picture.width + column) * how.channels
                bytes += picture.bytes[at..<at + how.channels]
            }
        }
        return Picture(width: how.width, height: how.height, bytes: bytes)
    }

    /// The part of the photo that is used, columns and rows; Pillow rounds its corners to float32.
    private func box(_ width: Int, _ height: Int) -> (columns: Range<Float>, rows: Range<Float>) {
        guard how.resize == .centerCrop else { return (0..<Float(width), 0..<Float(height)) }
        let side = min(Double(width) / Double(how.width), Double(height) / Double(how.height))
        let (wide, high) = (side * Double(how.width), side * Double(how.height))
        let (left, top) = ((Double(width) - wide) / 2, (Double(height) - high) / 2)
        return (Float(left)..<Float(left + wide), Float(top)..<Float(top + high))
    }
}
