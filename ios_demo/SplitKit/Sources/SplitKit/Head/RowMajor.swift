/// Values of an array in C order, whatever strides a runtime chose.
///
/// - Parameters:
///   - sizes: the array's shape.
///   - steps: how far apart neighbours along each axis lie, in elements.
///   - read: the value at a place.
public func rowMajor(sizes: [Int], steps: [Int], read: (Int) -> Float) -> [Float] {
    (0..<sizes.reduce(1, *)).map { flat in
        var (rest, place) = (flat, 0)
        for axis in sizes.indices.reversed() {
            place += rest % sizes[axis] * steps[axis]
            rest /= sizes[axis]
        }
        return read(place)
    }
}
