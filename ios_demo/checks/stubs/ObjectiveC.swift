// STUB: the signatures that the sources use, so that Linux can type-check them. Never linked, never shipped.

public func autoreleasepool<Result>(invoking body: () throws -> Result) rethrows -> Result { fatalError() }
