import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.context.support.IValidationSupport;
import ca.uhn.fhir.parser.IParser;
import ca.uhn.fhir.util.VersionUtil;
import ca.uhn.fhir.validation.FhirValidator;
import ca.uhn.fhir.validation.ResultSeverityEnum;
import ca.uhn.fhir.validation.SingleValidationMessage;
import ca.uhn.fhir.validation.ValidationOptions;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.PrePopulatedValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.SnapshotGeneratingValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.UnknownCodeSystemWarningValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;
import org.hl7.fhir.r5.utils.validation.constants.BestPracticeWarningLevel;

/**
 * Asks the HL7 validator, as HAPI FHIR carries it, about one resource a line.
 *
 * <p>In: {"id", "resource": its JSON text, "profiles": [canonical], "definitions": [NDJSON file of definitions]}.
 * Out: {"id", "issues": [{"severity", "expression", "rule", "message"}]}, after a first line {"validator": its version}.
 */
public final class Validate {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final FhirContext R4 = FhirContext.forR4();
  private static final Map<List<String>, FhirValidator> VALIDATORS = new HashMap<>();

  public static void main(String[] arguments) throws IOException {
    // What libraries print goes to standard error: standard output carries verdicts only.
    PrintStream verdicts = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    System.setOut(System.err);
    ObjectNode version = JSON.createObjectNode().put("validator", "HAPI FHIR " + VersionUtil.getVersion());
    verdicts.println(JSON.writeValueAsString(version));
    BufferedReader asked = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = asked.readLine(); line != null; line = asked.readLine()) {
      verdicts.println(JSON.writeValueAsString(verdict(JSON.readTree(line))));
    }
  }

  private static ObjectNode verdict(JsonNode asked) throws IOException {
    ValidationOptions options = new ValidationOptions();
    texts(asked.get("profiles")).forEach(options::addProfile);
    List<String> definitions = texts(asked.get("definitions"));
    if (!VALIDATORS.containsKey(definitions)) {
      VALIDATORS.put(definitions, validator(definitions));
    }
    ObjectNode verdict = JSON.createObjectNode().put("id", asked.get("id").asText());
    ArrayNode issues = verdict.putArray("issues");
    FhirValidator validator = VALIDATORS.get(definitions);
    for (SingleValidationMessage found : validator.validateWithResult(asked.get("resource").asText(), options).getMessages()) {
      if (found.getSeverity() != ResultSeverityEnum.INFORMATION) {
        issues
            .addObject()
            .put("severity", found.getSeverity().getCode())
            .put("expression", found.getLocationString())
            .put("rule", found.getMessageId())
            .put("message", found.getMessage());
      }
    }
    return verdict;
  }

  private static FhirValidator validator(List<String> definitions) throws IOException {
    FhirInstanceValidator instances = new FhirInstanceValidator(support(definitions));
    instances.setAnyExtensionsAllowed(true);
    instances.setErrorForUnknownProfiles(true);
    instances.setAssumeValidRestReferences(true);
    instances.setBestPracticeWarningLevel(BestPracticeWarningLevel.Ignore);
    return R4.newValidator().registerValidatorModule(instances);
  }

  private static IValidationSupport support(List<String> definitions) throws IOException {
    UnknownCodeSystemWarningValidationSupport unknown = new UnknownCodeSystemWarningValidationSupport(R4);
    unknown.setNonExistentCodeSystemSeverity(IValidationSupport.IssueSeverity.WARNING);
    return new ValidationSupportChain(
        new DefaultProfileValidationSupport(R4),
        read(definitions),
        new CommonCodeSystemsTerminologyService(R4),
        new InMemoryTerminologyServerValidationSupport(R4),
        unknown,
        new SnapshotGeneratingValidationSupport(R4));
  }

  private static PrePopulatedValidationSupport read(List<String> files) throws IOException {
    PrePopulatedValidationSupport known = new PrePopulatedValidationSupport(R4);
    IParser parser = R4.newJsonParser();
    for (String file : files) {
      for (String line : Files.readAllLines(Path.of(file))) {
        known.addResource(parser.parseResource(line));
      }
    }
    return known;
  }

  private static List<String> texts(JsonNode array) {
    List<String> texts = new ArrayList<>();
    array.forEach(text -> texts.add(text.asText()));
    return texts;
  }

  private Validate() {}
}
