# frozen_string_literal: true

# An application that fails, while its worker must not.
class Failures < Handler
  class CustomError < StandardError; end

  def raise(kind = "standard")
    case kind
    when "standard" then Kernel.raise CustomError, "the secret of the application"
    when "not-implemented" then Kernel.raise NotImplementedError, "a ScriptError"
    when "load" then Kernel.raise LoadError, "cannot load such file"
    when "no-memory" then Kernel.raise NoMemoryError, "failed to allocate memory"
    when "stack" then recurse
    when "interrupt" then Kernel.raise Interrupt, "an Interrupt"
    when "exception" then Kernel.raise Exception, "an Exception"
    when "binary" then Kernel.raise CustomError, "\xFF\xFE <script>alert(1)</script>".b
    end
  end

  def exit
    Kernel.exit(3)
  end

  def abort
    Kernel.abort("aborted")
  end

  def throw
    Kernel.throw(:nobody_catches_this)
  end

  private

  def recurse
    recurse + 1
  end
end
