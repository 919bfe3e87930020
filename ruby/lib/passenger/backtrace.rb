# frozen_string_literal: true

module Passenger
  # Exceptions as text for people: the application's lines, not Passenger's own.
  module Backtrace
    OWN = [__dir__, "<internal:"].freeze

    # Class and message on one line.
    def self.title(error)
      line = text(error.message).strip.lines.first&.chomp
      [error.class, line].compact.uniq(&:to_s).join(": ")
    end

    # Class, message, backtrace; the same of what caused it.
    def self.describe(error)
      lines = clean(error.backtrace).map { |line| "    #{line}\n" }
      own = "#{error.class}: #{text(error.message).strip}\n#{lines.join}"
      error.cause ? "#{own}Caused by #{describe(error.cause)}" : own
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
