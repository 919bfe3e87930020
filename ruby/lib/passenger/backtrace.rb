# frozen_string_literal: true

module Passenger
  # Exceptions as text for people: the application's lines, not Passenger's own.
  module Backtrace
    OWN = [__dir__, "<internal:"].freeze

    # Class and message on one line.
    def self.title(error)
      message = text(error.message).strip
      message.empty? || message == error.class.name ? error.class.name.to_s : "#{error.class}: #{message.lines.first.chomp}"
    end

    # Class, message, backtrace; the same of what caused it.
    def self.describe(error)
      text = "#{error.class}: #{text(error.message).strip}\n#{clean(error.backtrace).map { |line| "    #{line}\n" }.join}"
      error.cause ? "#{text}Caused by #{describe(error.cause)}" : text
    end

    # Valid UTF-8, whatever the application made it of.
    def self.text(string)
      string = string.to_s
      string = string.dup.force_encoding(Encoding::UTF_8) if string.encoding == Encoding::BINARY
      string.encode(Encoding::UTF_8, invalid: :replace, undef: :replace).scrub
    end

    def self.clean(lines)
      lines = (lines || []).map { |line| text(line) }
      ours, theirs = lines.partition { |line| line.start_with?(*OWN) }
      theirs.empty? ? ours : theirs
    end
    private_class_method :clean
  end
end
