# frozen_string_literal: true

module Passenger
  # +rack.input+ of a request without a body. It has no state, so all requests share it.
  class NullInput
    def read(length = nil, buffer = nil)
      buffer&.clear
      return if length&.positive?

      buffer || String.new
    end

    def gets(*) = nil
    def getc = nil
    def getbyte = nil
    def each = self
    def rewind = 0
    def pos = 0
    def size = 0
    def eof? = true
    def close = nil
    def closed? = false
    def external_encoding = Encoding::BINARY
    def binmode = self
    def binmode? = true
    def sync = true

    alias length size
    alias tell pos
    alias eof eof?
  end
end
