# frozen_string_literal: true

module Passenger
  # Response headers as applications return them, in the one shape that the channel takes.
  module Headers
    # Returns a Hash of arrays of strings. Rack 2 wants strings, Rack 3 strings or arrays; numbers, symbols and nil
    # occur. Yields name and value of the special headers, which are meant for the server ("rack.hijack").
    def self.plain(headers)
      unless headers.respond_to?(:each)
        raise InvalidResponse, "the application returned #{headers.class} where the response headers should be"
      end

      headers.each_with_object({}) do |(name, value), result|
        name = name.to_s
        if name.start_with?("rack.")
          yield name, value if block_given?
        elsif !value.nil?
          (result[name] ||= []).concat(value.is_a?(Array) ? value.map(&:to_s) : [value.to_s])
        end
      end
    end

    # The announced length of the body; nil if there is none, or no number.
    def self.content_length(headers)
      _, values = headers.find { |name, _| name.casecmp?("content-length") }
      values && Integer(values.first, 10, exception: false)
    end
  end
end
